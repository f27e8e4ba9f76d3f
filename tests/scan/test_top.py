"""One family a query: by network and profiles together, whatever the E-value."""

import json
from dataclasses import replace

import golden
import numpy as np
import pytest
import synthetic
import untrained
from conftest import refused
from conftest import scan as program
from scanning import LIBRARY, PROTEINS, records, rows, table

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan
from pfamnet.model.combination import Combination
from pfamnet.model.directory import DESCRIPTION, open_model
from pfamnet.profiles.search import SearchedHits
from pfamnet.records import Record
from pfamnet.scan import evidence
from pfamnet.scan.evidence import Appraiser, View


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The same untrained model with profiles alone deciding, the network alone, and without a combination."""
    folder = tmp_path_factory.mktemp("top")
    make = lambda name, weights: untrained.write_model(folder / name, 12, weights)
    return {
        "profiles": make("profiles", {"profile": 1000.0}),
        "network": make("network", {"profile": 0.0}),
        "old": make("old", None),
    }


@pytest.fixture(scope="module")
def queries(tmp_path_factory):
    """Proteins, and sequences in which no profile has anything to find."""
    path = tmp_path_factory.mktemp("queries") / "q.fa"
    rng = np.random.default_rng(0)
    strange = [
        (f"strange{i}", synthetic.random_sequence(rng, length)) for i, length in enumerate((1, 5, 30, 200))
    ]
    path.write_bytes(records("P15056", "P06213", "P07949", "P04070") + synthetic.fasta(strange).encode())
    return path


@pytest.mark.parametrize(
    "options", ((), ("--mode", "network"), ("--fast",), ("--report", "text", "-o", "/dev/null"))
)
def test_each_query_has_one_row(models, queries, options, capfdbinary, tmp_path):
    path = tmp_path / "domtblout"
    found = table(capfdbinary, "--top", *options, "--domtblout", path, models["old"], queries)
    names = [line.split()[0][1:].encode() for line in queries.read_text().splitlines() if line[0] == ">"]
    lines = [line.split() for line in path.read_bytes().splitlines() if not line.startswith(b"#")]
    assert [line[3] for line in lines] == names
    assert options and options[0] == "--report" or [row[3] for row in found] == names
    assert all(line[9:11] == [b"1", b"1"] for line in lines)


def test_numbers_are_the_profiles_own(models, queries, capfdbinary):
    """As every profile has them without filters; the best of its domains."""
    every = {}
    for row in table(
        capfdbinary, "--mode", "profiles", "--max", "-E", 1e9, "--domE", 1e9, models["old"], queries
    ):
        every.setdefault((row[3], row[0]), []).append(row)
    found = table(capfdbinary, "--top", models["profiles"], queries)
    seen = 0
    for row in found:
        if row[23] != b"network":
            best = max(every[row[3], row[0]], key=lambda other: float(other[13]))
            assert row[:9] + row[12:23] == best[:9] + best[12:23]
            seen += 1
    assert seen >= 4 and {row[23] for row in found} <= {b"profile", b"both", b"network"}


def test_the_weights_decide(models, queries, capfdbinary):
    """All profiles are candidates here, so that with much weight the best of them wins."""
    bits = {}
    for row in table(
        capfdbinary, "--mode", "profiles", "--max", "-E", 1e9, "--domE", 1e9, models["old"], queries
    ):
        bits.setdefault(row[3], {})[row[0]] = float(row[7])
    by_profiles = table(capfdbinary, "--top", "--sensitive", models["profiles"], queries)
    for row in by_profiles[:4]:
        assert bits[row[3]][row[0]] == pytest.approx(max(bits[row[3]].values()))
    by_network = table(capfdbinary, "--top", models["network"], queries)
    alone = table(capfdbinary, "--top", "--mode", "network", models["profiles"], queries)
    assert [row[0] for row in by_network] == [row[0] for row in alone]
    assert [row[0] for row in by_network[:4]] != [row[0] for row in by_profiles[:4]]
    assert {row[23] for row in alone} == {b"network"}


def test_a_row_says_how_unsure_it_is(models, queries, capfdbinary):
    found = {row[3]: row for row in table(capfdbinary, "--top", models["profiles"], queries)}
    assert float(found[b"P15056"][6]) < 1e-20 and float(found[b"strange3"][6]) > 0.01


def test_without_a_combination_both_weigh_the_same(models, queries, capfdbinary, tmp_path):
    model = untrained.write_model(tmp_path / "ones", 12, {"profile": 1.0})
    old, ones = (table(capfdbinary, "--top", path, queries) for path in (models["old"], model))
    assert old == ones


def test_threads_and_neighbours_do_not_matter(models, queries, capfdbinary, tmp_path):
    whole = table(capfdbinary, "--top", "--cpu", 1, models["old"], queries)
    assert table(capfdbinary, "--top", "--cpu", 3, models["old"], queries) == whole
    texts = queries.read_bytes().split(b">")[1:]
    (tmp_path / "one.fa").write_bytes(b">" + texts[2])
    assert table(capfdbinary, "--top", models["old"], tmp_path / "one.fa") == [whole[2]]


def test_a_sequence_without_residues_has_no_row(models, capfdbinary, tmp_path):
    (tmp_path / "empty.fa").write_text(">nothing\n\n>a\nMKV\n")
    found = table(capfdbinary, "--top", models["old"], tmp_path / "empty.fa")
    assert [row[3] for row in found] == [b"a"]


@pytest.mark.parametrize("options", (["-E", "1"], ["--cut_ga"], ["--domT", "3"], ["--mode", "profiles"]))
def test_what_makes_no_sense_with_it_is_refused(models, queries, options, capfd):
    assert run(scan, ["--top", *options, str(models["old"]), str(queries)]) == 2
    assert "--top" in capfd.readouterr().err


def test_a_library_has_no_network_for_it(queries, capfd):
    assert run(scan, ["--top", str(LIBRARY), str(PROTEINS)]) == 2
    assert "has no network" in capfd.readouterr().err


def test_a_damaged_combination_is_refused(tmp_path, queries):
    model = untrained.write_model(tmp_path / "model", 12, {"profile": -1.0})
    assert "lacks what a model needs" in refused(program(model, queries, check=False))


@pytest.mark.parametrize("rank, found", ((0, True), (1, True), (5, True), (7, True), (8, False)))
def test_where_no_candidate_is_significant_more_are_tried(rank, found):
    """Four times as many as the two candidates here."""
    families = golden.families()
    right = [family.name for family in families].index("PK_Tyr_Ser-Thr")
    order = [
        place
        for place in range(len(families))
        if families[place].name not in ("PK_Tyr_Ser-Thr", "Pkinase", "RBD", "C1_1")
    ]
    order.insert(rank, right)
    logits = np.zeros((3, len(families) + 1))
    logits[:, 1 + np.array(order)] = 50.0 - np.arange(len(order))
    seen = Appraiser(golden.store(), families, 2).of(golden.record("P15056"), View(logits))
    assert (right in seen.hits) == found
    assert len(seen.families) >= 2 and seen.families[:2].tolist() == order[:2]
    assert (seen.best(Combination(1.0, 1.0)) == right) == found
    if rank < 2:  # what is found among the candidates is enough
        assert len(seen.families) == 2


def test_words_make_a_family_a_candidate_that_the_network_puts_last(models):
    model = open_model(models["profiles"])
    right = [family.name for family in model.families].index("PK_Tyr_Ser-Thr")
    logits = np.zeros((3, len(model.families) + 1))
    logits[:, 1 + right] = -9.0
    for words in (None, model.words()):
        seen = Appraiser(model.store, model.families, 2, words).of(golden.record("P15056"), View(logits))
        assert (right in seen.families[:2]) == (right in seen.hits) == (words is not None)
        assert words is None or seen.terms[0, seen.families == right] == seen.terms[0].min()


class Search:
    """Stands in for a search of profiles: finds what it is told to, and keeps what it was asked for."""

    def __init__(self, hits=()):
        self.hits, self.asked = hits, []

    def search(self, records, candidates):
        self.asked.append(sorted(candidates[0]))
        return [SearchedHits(hit for hit in self.hits if hit.family in candidates[0])]


@pytest.mark.parametrize("included", (False, True))
def test_every_candidate_is_searched_without_filters_unless_one_is_significant(included, monkeypatch):
    families = golden.families()
    monkeypatch.setattr(evidence, "UNFILTERED", 2)
    appraiser = Appraiser(golden.store(), families, 5)
    record = golden.record("P15056")
    hit = appraiser.filtered.search([record], [range(len(families))])[0][0]
    appraiser.filtered = Search([replace(hit, family=4, included=included)])
    appraiser.unfiltered = Search()
    logits = np.zeros((3, len(families) + 1))
    logits[:, 1:] = -np.arange(len(families))
    appraiser.of(record, View(logits))
    assert appraiser.unfiltered.asked == [[0, 1] if included else [0, 1, 2, 3]]


def test_length_and_rarity_decide_where_nothing_else_does():
    """Of two families alike to network and profiles, that of the query's length wins, or of fewer rows."""
    families = [
        replace(family, length=200 - 100 * (place == 3), rows=50 - 40 * (place == 5))
        for place, family in enumerate(golden.families())
    ]
    appraiser = Appraiser(golden.store(), families, len(families))
    appraiser.filtered = appraiser.unfiltered = Search()
    seen = appraiser.of(Record("q", "", "MKVL" * 25, 1), View(np.zeros((7, len(families) + 1))))
    assert seen.best(Combination(1.0, 1.0, 1.0, 0.0)) == 3
    assert seen.best(Combination(1.0, 1.0, 0.0, 1.0)) == 5


# From one end to the other


def isolated(path, count=24):
    """New members of the families, each alone; what family they are of."""
    rng = np.random.default_rng(7)
    made = [(f"d{i}", synthetic.domain(i % synthetic.FAMILIES, rng)) for i in range(count)]
    path.write_text(synthetic.fasta(made))
    return [f"PF9{i % synthetic.FAMILIES:04}" for i in range(count)]


@pytest.mark.parametrize("which, options", (("light_model", []), ("esm_model", ["--sensitive"])))
def test_a_built_model_names_isolated_domains(which, options, request, tmp_path):
    model = request.getfixturevalue(which)
    families = isolated(tmp_path / "d.fa")
    done = program("--top", *options, model, tmp_path / "d.fa", text=False)
    found = [row.split(b"\t") for row in rows(done.stdout)]
    assert len(found) == len(families)
    assert (
        sum(row[1].decode().startswith(family) for row, family in zip(found, families)) >= len(families) - 1
    )


@pytest.mark.parametrize("which", ("light_model", "esm_model"))
def test_a_build_fits_the_weights_of_each_network_and_says_so(which, request):
    model = request.getfixturevalue(which)
    entries = json.loads((model / DESCRIPTION).read_text())["combination"]
    opened = open_model(model)
    assert entries.keys() == opened.networks.keys()
    said = (model.parent / "stderr").read_text()
    for name, entry in entries.items():
        assert opened.combination(name).to_json() == entry["weights"]
        assert entry["domains"] > 1
        assert 0 <= entry["errors"]["both"] <= entry["errors"]["network"] + 1
        assert f"{name}: errors in {entry['domains']} validation domains" in said
