"""Proteins without labels are labelled by what the profiles find in them."""

import golden
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pfamnet.build.labels as module
from pfamnet.build.labels import Labelling
from pfamnet.build.options import BuildOptions
from pfamnet.build.work import Threads, Work
from pfamnet.errors import PfamnetError
from pfamnet.trainset.trainset import Fold, TrainSet

NAMED = {record.name for record in golden.records() if record.sequence.isalpha()}


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path, BuildOptions(()), resume=True)


@pytest.fixture
def proteins(tmp_path):
    path = tmp_path / "p.fa"
    lines = [f">{r.name} {r.description}\n{r.sequence}\n" for r in golden.records() if r.name in NAMED]
    path.write_text("".join(lines))
    return str(path)


def rows(table):
    """Protein, family and aligned residues of the domains of a DomainTable."""
    return sorted(
        (protein, name, start, end)
        for protein, domains in table.domains.items()
        for start, end, _, name, _, _ in domains
        if name
    )


def domtblout(which):
    lines = (golden.DATA / f"golden.{which}.domtblout").read_text().splitlines()
    fields = [line.split() for line in lines if not line.startswith("#")]
    evalue = lambda f: max(float(f[6]), float(f[12]))  # of sequence and domain
    return [(f[3], f[0], int(f[17]), int(f[18]), evalue(f)) for f in fields if f[3] in NAMED]


def without_cutoffs(count):
    hmms = [hmm.copy() for hmm in golden.hmms()]
    for hmm in hmms[:count]:
        hmm.cutoffs.gathering = None
    return hmms


def test_labels_are_the_hits_of_hmmscan_at_gathering_cutoffs(work, proteins):
    expected = sorted(row[:4] for row in domtblout("cut_ga"))
    assert len(expected) > 20
    assert rows(Labelling(proteins, golden.hmms(), Threads()).table(work)) == expected


def test_families_without_cutoffs_are_searched_at_the_e_value_that_is_stated(work, proteins):
    labelling = Labelling(proteins, without_cutoffs(22), Threads(2))
    found = set(rows(labelling.table(work)))
    below = lambda most: {row[:4] for row in domtblout("default") if row[4] <= most}
    assert below(9.4e-4) <= found <= below(1e-3) and len(found) > 20  # the table has two digits
    assert "22 at E <= 0.001" in labelling.plan(work)


def test_some_families_have_cutoffs(work, proteins):
    labelling = Labelling(proteins, without_cutoffs(3), Threads())
    assert "with 22 profiles, 19 at their gathering cutoffs, 3 at E <= 0.001: " in labelling.plan(work)
    names = {hmm.name for hmm in golden.hmms()[3:]}
    with_cutoffs = [row for row in rows(labelling.table(work)) if row[1] in names]
    assert with_cutoffs == sorted(row[:4] for row in domtblout("cut_ga") if row[1] in names)


def test_what_may_be_a_domain_is_of_no_family(work, proteins):
    """Residues of hits below the cutoffs, at hmmscan's inclusion threshold, that no label claims."""
    table = Labelling(proteins, golden.hmms(), Threads()).table(work)
    places = lambda rows: {(row[0], place) for row in rows for place in range(row[-2], row[-1] + 1)}
    rest = ((name, *row[:2]) for name, found in table.domains.items() for row in found if not row[2])
    doubtful, labelled = places(rest), places(rows(table))
    below = lambda most: places(row[:4] for row in domtblout("default") if row[4] <= most) - labelled
    assert below(9.4e-3) <= doubtful <= below(1e-2) and doubtful


@given(
    st.tuples(st.integers(0, 9), st.integers(1, 9)),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9))),
)
def test_uncovered_parts(one, others):
    start, end = one[0], one[0] + one[1]
    ranges = sorted((first, first + size) for first, size in others)
    covered = {place for first, last in ranges for place in range(first, last)}
    parts = list(module.uncovered(start, end, ranges))
    assert [place for part in parts for place in range(*part)] == sorted({*range(start, end)} - covered)
    assert all(first < last for first, last in parts)


def test_a_search_that_was_killed_continues(work, proteins, monkeypatch):
    monkeypatch.setattr(module, "PART", 1e7)
    expected = rows(Labelling(proteins, golden.hmms(), Threads()).table(work))
    files = sorted((work / "labels").iterdir())
    assert len(files) > 3
    (work / "labels").rename(work / "before")
    kept = sorted((work / "before").iterdir())[:2]
    (work / "labels").mkdir()
    for file in kept:
        file.rename(work / "labels" / file.name)
    searched, search = [], module.search

    def watched(*arguments):
        one = search(*arguments)
        return lambda records: searched.extend(r.name for r in records) or one(records)

    monkeypatch.setattr(module, "search", watched)
    labelling = Labelling(proteins, golden.hmms(), Threads())
    done = sum(map(len, (labelling.parts[int(file.stem)] for file in kept)))
    assert f"search {len(NAMED) - done} proteins " in labelling.plan(work)
    assert f"({done} are done)" in labelling.plan(work)
    searched.clear()
    assert rows(labelling.table(work)) == expected
    assert len(searched) == len(set(searched)) == len(NAMED) - done


def test_the_number_of_threads_and_parts_changes_nothing(work, proteins, tmp_path, monkeypatch):
    one = Labelling(proteins, golden.hmms(), Threads()).table(work)
    monkeypatch.setattr(module, "PART", 1e7)
    two, other = Labelling(proteins, golden.hmms(), Threads(3)), tmp_path / "two"
    other.mkdir()
    assert two.table(Work(other, BuildOptions(()), resume=True)).domains == {
        protein: [tuple(domain) for domain in domains] for protein, domains in one.domains.items()
    }


@pytest.mark.parametrize(
    "text, message",
    [
        (">a\nMKV\n>b\nMK*V\n", "p.fa: record 2 'b': illegal character '*' at position 3"),
        (">a\nMKV\n>a\nMKI\n", "p.fa: record 2 'a': has the name of record 1"),
        (">a\n>b\nMKI\n", "p.fa: record 1 'a': no residues"),
        ("MKV\n", "p.fa: "),
        ("\n\n", "p.fa: no sequences"),
    ],
)
def test_proteins_that_cannot_be_learnt_from_are_refused(tmp_path, text, message):
    (tmp_path / "p.fa").write_text(text)
    with pytest.raises(PfamnetError) as caught:
        Labelling(str(tmp_path / "p.fa"), golden.hmms(), Threads())
    assert message in str(caught.value)


def test_proteins_of_the_train_sets_are_refused_before_the_search(tmp_path):
    fold = lambda *names, whole: Fold([*names], [*names], np.zeros((0, 4), int), np.array(whole))
    known = TrainSet([], fold("row", "x", whole=[False, True]), fold("p2", whole=[True]), {}, [])
    (tmp_path / "p.fa").write_text(">row\nMKV\n>p2\nMKV\n")
    with pytest.raises(PfamnetError, match="p.fa: record 2 'p2': is in a train set too"):
        Labelling(str(tmp_path / "p.fa"), golden.hmms(), Threads()).refuse_again(known)


def test_proteins_without_any_domain_are_refused(tmp_path, work):
    (tmp_path / "p.fa").write_text(">a\nMKV\n")
    with pytest.raises(PfamnetError, match="p.fa: the profiles find no domain in its proteins"):
        Labelling(str(tmp_path / "p.fa"), golden.hmms(), Threads()).table(work)
