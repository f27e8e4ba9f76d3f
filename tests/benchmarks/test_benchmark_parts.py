"""What the benchmarks compute: intervals, comparisons, figures of merit, tables and splits."""

import csv
import doctest
import gzip
import json
import re
import sys
from pathlib import Path

import accuracy
import accuracy_measures as measures
import common
import hmmscan_rows
import numpy as np
import pandas
import pytest
import recall
import reduced_split
import report
import scale
import speed
import swissprot_families
import synthetic
import training
from accuracy_measures import NONE, Answer
from click import ClickException
from click.testing import CliRunner
from conftest import ROOT
from recall import Found
from swissprot_families import Group, SplitFamily

from pfamnet.io.fasta import read_fasta
from pfamnet.profiles.files import read_hmms

MACHINE = {"cpu": "C", "cores_used": 1, "pfamnet": "9", "pyhmmer": "8", "onnxruntime": None}


@pytest.mark.parametrize("module", (common, hmmscan_rows, recall, report, scale, swissprot_families))
def test_examples_in_the_docstrings(module):
    assert doctest.testmod(module).failed == 0


def test_every_benchmark_shows_its_help():
    for module in (
        accuracy,
        hmmscan_rows,
        recall,
        reduced_split,
        report,
        scale,
        speed,
        swissprot_families,
        training,
    ):
        assert CliRunner().invoke(module.main, ["--help"]).exit_code == 0


# -- statistics


def test_wilson_stays_within_zero_and_one():
    for total in (1, 7, 1000):
        for count in (0, total // 2, total):
            low, high = common.wilson(count, total)
            assert 0 <= low <= count / total <= high <= 1
    assert common.wilson(0, 10)[0] == 0 and common.wilson(10, 10)[1] == 1


def test_mcnemar_is_symmetric_and_one_without_difference():
    assert common.mcnemar(3, 12) == common.mcnemar(12, 3) < 0.05
    assert common.mcnemar(0, 0) == common.mcnemar(5, 5) == 1.0


def test_bins_hold_every_value_once():
    bins = common.by_bins([0, 1, 5, 6, 300], [True, False, True, True, False], (1, 6, 201))
    assert {name: (bin["count"], bin["of"]) for name, bin in bins.items()} == {
        "1-5": (2, 3),
        "6-200": (1, 1),
        ">200": (0, 1),
    }


def test_a_command_costs_time_and_memory_and_its_failure_is_raised():
    code = "import time; print('# head'); print('row', flush=True); time.sleep(0.5)"
    cost = common.run([sys.executable, "-c", code], first_row=True)
    assert cost["wall_s"] >= cost["first_row_s"] > 0 and cost["peak_mib"] > 1
    with pytest.raises(common.subprocess.CalledProcessError):
        common.run(["false"])


# -- domains of two programs


def found(family="PF1", ali=(10, 50), score="30.0", evalue=1e-9, protein="p"):
    return Found(protein, family, "name", ali, (ali[0] - 1, ali[1] + 1), (1, 40), score, evalue)


@pytest.mark.parametrize(
    "other, outcome",
    (
        (found(), "identical"),
        (found(score="30.2"), "score"),
        (found(ali=(12, 50)), "moved"),
        (found(ali=(60, 90)), "lost"),
        (found(family="PF2"), "lost"),
        (found(protein="q"), "lost"),
    ),
)
def test_outcomes(other, outcome):
    assert recall.outcomes([found()], [other]) == [outcome]


def test_additional_domains_are_those_that_no_reference_domain_overlaps():
    far, sister = found(ali=(60, 90)), found(family="PF2")
    assert recall.additional([found()], [found(ali=(50, 55)), far, sister]) == [far, sister]


ROW = b"fam PF1.1 9 p - 99 1e-9 30.0 0.1 1 1 %s 1e-8 29.5 0.0 1 9 %s 9 1 9 0.99 some family\n"
HEAD, TAIL = b"# target name\n", b"#\n# Program: x\n# [ok]\n"


def test_tables_are_read_from_either_program(tmp_path):
    network = ROW.replace(b"some", b"[network] some")
    (tmp_path / "scan").write_bytes(HEAD + ROW % (b"1e-9", b"3") + network % (b"1e-9", b"3"))
    (domain,) = recall.read_domains(tmp_path / "scan")
    assert domain == Found("p", "PF1", "fam", (3, 9), (1, 9), (1, 9), "29.5", 1e-8, "some")
    assert recall.read_domains(tmp_path / "scan", 1e-9) == []
    searched = (ROW % (b"1e-9", b"3")).replace(b"fam PF1.1 9 p -", b"p - 9 fam PF1.1")
    (tmp_path / "search").write_bytes(searched)
    assert recall.read_domains(tmp_path / "search", searched=True) == [domain]


def two_tables(folder, ours, theirs):
    for side, rows in (("ours", ours), ("theirs", theirs)):
        (folder / f"{side}.default.domtblout").write_bytes(HEAD + b"".join(rows) + TAIL)
    return folder, "default", "domtblout"


def test_fields_that_differ_are_counted(tmp_path):
    one, other = ROW % (b"1e-9", b"1"), ROW % (b"2e-9", b"2")
    same = hmmscan_rows.compare(*two_tables(tmp_path, [one, other], [one, other]))
    assert list(same.values()) == [2, 46, 0, 0, True]
    differing = hmmscan_rows.compare(*two_tables(tmp_path, [one, one], [one, other]))
    assert (differing["rows that differ"], differing["fields that differ"]) == (1, 2)
    lacking = hmmscan_rows.compare(*two_tables(tmp_path, [one], [one, other]))
    assert lacking["rows that differ"] == 1 and not lacking["lines identical with blanks and headers"]


def test_rows_of_both_are_found_by_their_coordinates(tmp_path):
    one, cheaper, other = ROW % (b"1e-9", b"1"), ROW % (b"5e-10", b"1"), ROW % (b"2e-9", b"2")
    network = other.replace(b"some", b"[network] some").replace(b"fam PF1", b"new PF2")
    counts = hmmscan_rows.compare_hybrid(*two_tables(tmp_path, [cheaper, network], [one, other]))
    assert list(counts.values()) == [2, 1, 23, {"12": 1}, 1, 0]


# -- accuracy


def test_the_best_score_decides_and_what_finds_nothing_predicts_none():
    rows = [(0, 1, 30.0, 1e-8), (0, 2, 10.0, 1.0), (2, 3, -5.0, 5.0), (2, 0, -5.0, 7.0)]
    found = pandas.DataFrame(rows, columns=["place", "family", "bits", "evalue"])
    answer = measures.answer_of(found, 3)
    assert answer.picks.tolist() == [1, NONE, 0] and answer.evalues.tolist() == [1e-8, np.inf, 7.0]


def test_calls_on_decoys_set_the_threshold():
    answer = Answer(np.array([0, 1, 2, 0]), np.exp(-np.array([5.0, 3.0, 9.0, 0.5])))
    decoys = np.arange(1000) / 200  # 4.995 is the surest of them
    points = dict(measures.curve(answer, np.array([0, 1, 0, 0]), decoys))
    # one call lets pass what is over the second decoy, 4.99: of the correct ones only the first
    assert points[0.001] == 25.0 and points[0.5] == 50.0


def test_another_family_of_the_clan_is_an_error_but_not_of_the_clan():
    answer, labels = Answer(np.array([0, 1, 2, NONE]), np.ones(4)), np.array([0, 0, 0, 1])
    bins = {"by_rows": ([5, 5, 5, 30], measures.ROWS), "by_identity": ([10.0, 50, 50, 99], measures.IDENTITY)}
    made = measures.errors(answer, labels, ["A", "A", "B"], bins)
    assert (made["family"]["count"], made["family_or_clan"]["count"], made["none_predicted"]) == (3, 2, 1)
    assert made["mean_of_families_percent"] == pytest.approx(100 * (2 / 3 + 1) / 2, abs=0.001)
    assert made["by_rows"]["1-5"]["of"] == 3 and made["by_identity"][">79"]["count"] == 1


def test_mcnemar_counts_rows_in_which_one_method_alone_is_correct():
    one, other = Answer(np.array([0, 0, 1]), np.ones(3)), Answer(np.array([1, 0, 0]), np.ones(3))
    test = measures.against(one, other, np.array([0, 0, 1]))
    assert test == {"only_this_correct": 2, "only_other_correct": 0, "p": 0.5}


def test_observed_calls_count_families_of_all_decoys():
    rows = measures.observed(np.array([0.05, 5.0, 20.0, 0.5]), 2)
    assert [row["observed"] for row in rows] == [0, 0, 0, 0, 0.5, 1.0, 1.5]


def write_split(folder, rows):
    for fold, lines in rows.items():
        (folder / fold).mkdir(parents=True)
        with open(folder / fold / "data-00000-of-00001", "w", newline="") as file:
            header = ["family_id", "sequence_name", "family_accession", "aligned_sequence", "sequence"]
            csv.writer(file).writerows([header, *lines])


def test_a_reduced_split_leaves_out_complete_clans_and_cuts_others(tmp_path):
    families = [f"PF{i:05}" for i in range(1, 31)]
    make = lambda fold, count: [
        (f"F{name}", f"{fold}{name}{k}/1-8", f"{name}.1", "", "ACDEFGHI")
        for name in families
        for k in range(count)
    ]
    write_split(tmp_path / "split", {"train": make("a", 25), "dev": make("b", 2), "test": make("c", 2)})
    rows = [f"{name}.1\tF{name}\t{'CL0001' if i < 4 else ''}\tx\n" for i, name in enumerate(families)]
    (tmp_path / "families.tsv").write_text("accession\tid\tclan\tdescription\n" + "".join(rows))
    words = [tmp_path / "out", "--data", tmp_path / "split", "--families", tmp_path / "families.tsv"]
    words += ["--leave-out", 6, "--few", 1]
    done = CliRunner().invoke(reduced_split.main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    what = json.loads((tmp_path / "out" / "reduced.json").read_text())
    left, few = set(what["left_out"]), what["few"]
    assert len(left) == 6 and len(left & set(families[:4])) in (0, 4)
    assert sorted(few.values()) == list(range(1, 11)) and not left & few.keys()
    keys = {
        fold: reduced_split.read(tmp_path / "out" / fold).key.tolist()
        for fold in (*reduced_split.FOLDS, "left_out")
    }
    count = lambda name: 0 if name in left else few.get(name, 25)
    assert all(keys["train"].count(name) == count(name) for name in families)
    assert set(keys["left_out"]) == left and len(keys["left_out"]) == 6 * 29
    assert not left & set(keys["dev"] + keys["test"])


# -- families made of complete proteins


def groups(*sizes, tested=()):
    """Groups a, b, ... of so many proteins: a0, a1, ..."""
    letters = "abcdefghijklmnop"[: len(sizes)]
    return [
        Group(f"{letter}0", tuple(f"{letter}{i}" for i in range(size)), letter in tested)
        for letter, size in zip(letters, sizes)
    ]


def test_one_group_in_five_is_held_out_whatever_their_order():
    family = swissprot_families.choose_folds(groups(*[1] * 11), seed=1)
    assert len(family.held) == 2 and family.rows == [group.protein for group in family.train]
    assert swissprot_families.choose_folds(groups(*[1] * 11)[::-1], seed=1) == family
    assert {group.protein for group in family.held}.isdisjoint(family.rows)


def test_groups_with_proteins_of_dev_or_test_are_held_out_first_and_always():
    family = swissprot_families.choose_folds(groups(*[1] * 7, tested="c"), seed=1)
    assert [group.protein for group in family.held] == ["c0"]
    family = swissprot_families.choose_folds(groups(*[1] * 7, tested="abc"), seed=1)
    assert {group.protein for group in family.held} == {"a0", "b0", "c0"}


def test_in_a_small_family_near_duplicates_are_rows_too():
    family = swissprot_families.choose_folds(groups(3, 1, 2), seed=1)
    assert [group.protein for group in family.held] == ["b0"]
    assert sorted(family.rows) == ["a0", "a1", "a2", "c0", "c1"]


@pytest.mark.parametrize("sizes, tested", [((4, 4), ""), ((1, 1, 2), ""), ((1, 1, 1, 2), "d")])
def test_a_family_of_too_few_groups_proteins_or_rows_is_none(sizes, tested):
    assert swissprot_families.choose_folds(groups(*sizes, tested=tested), seed=1) is None


def test_members_are_rows_trainable_near_duplicates_and_what_is_held_out():
    a, b = groups(3, 2)
    found = swissprot_families.member_rows(SplitFamily(["a0"], [a], [b]), trainable={"a2", "b1"})
    assert list(found) == [("train", "a0", 1), ("train", "a2", 0), ("held", "b0", 0)]


def test_a_database_of_families_is_made_from_clusters(tmp_path):
    """Two families of eight, each with a protein of dev, and a lone protein; the clusters are given."""
    rng = np.random.default_rng(1)
    texts = {f"{f}{i}": synthetic.domain(f, rng) for f in (0, 1) for i in range(8)} | {"lone": "ACDEFGHIKL"}
    folds = {"dev": ["00", "10"], "test": [], "rest": ["01", "11", "12"]}
    folds["train"] = [name for name in texts if name not in sum(folds.values(), [])]
    folds["test"] = ["lone2"]
    texts["lone2"] = "LKIHGFEDCA"
    for fold, names in folds.items():
        (tmp_path / f"{fold}.fa.gz").write_bytes(
            gzip.compress("".join(f">{name}\n{texts[name]}\n" for name in names).encode())
        )
    (tmp_path / "rest_train.txt.gz").write_bytes(gzip.compress(b"01\n"))
    out = tmp_path / "out"
    work = out / "work.0.5.hmmalign.42"
    work.mkdir(parents=True)
    (work / "linclust.0.8.tsv").write_text("".join(f"{name}\t{name}\n" for name in texts))
    clusters = [(name if name.startswith("lone") else f"{name[0]}0", name) for name in texts]
    (work / "cluster.0.5.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in clusters))
    pfam = Path(__file__).parent.parent / "data" / "golden.hmm.gz"
    words = [out, "--proteins", tmp_path, "--pfam", pfam, "--aligner", "hmmalign", "--cpu", 1]
    done = CliRunner().invoke(swissprot_families.main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    members = pandas.read_csv(out / "members.tsv", sep="\t", dtype=str)
    assert members.family.value_counts().to_dict() == {"SP00001": 8, "SP00002": 8}
    assert set(members.protein[members.fold == "held"]) == {"00", "10"}
    read = lambda name: {record.name: record.sequence for record in read_fasta(out / name)}
    assert read("held.fa.gz") == {name: texts[name] for name in ("00", "10")}
    assert read("proteins.fa.gz").keys() == set(folds["train"] + folds["rest"])
    new, every = (list(read_hmms(out / name)) for name in ("new.h3m", "all.h3m"))
    assert [(hmm.name, hmm.accession) for hmm in new] == [("SP00001", "SP00001.1"), ("SP00002", "SP00002.1")]
    assert all(hmm.cutoffs.gathering for hmm in new) and every[-2:] == new
    assert len(every) == 2 + len(list(read_hmms(pfam)))


# -- results and reports


def results(**versions):
    return {version: [{"tables": tables} for tables in rows] for version, rows in versions.items()}


def test_pasting_replaces_what_stands_between_the_marks():
    text = "a\n<!-- table:x -->\nold\n<!-- /table -->\nb\n"
    table = common.markdown(["x", "y"], [[1, 2]], {"machine": MACHINE})
    pasted = report.paste(text, results(new=[{}, {"x": table}], old=[{"x": "| old |\n|---|\n"}]))
    assert pasted == f"a\n<!-- table:x -->\n{table}<!-- /table -->\nb\n"
    assert "C, 1 core, pfamnet 9, pyhmmer 8." in pasted
    assert report.paste(pasted, results(new=[{"x": table}])) == pasted
    with pytest.raises(ClickException, match="'x'"):
        report.paste(text, results(new=[{}]))


def test_a_mark_may_name_a_version():
    text = "<!-- table:x old -->\n<!-- /table -->\n"
    pasted = report.paste(text, results(new=[{"x": "| new |\n|---|\n"}], old=[{"x": "| old |\n|---|\n"}]))
    assert "| old |" in pasted and "| new |" not in pasted


def test_a_mark_may_name_two_tables():
    text = "<!-- table:x+y -->\n<!-- /table -->\n"
    pasted = report.paste(text, results(new=[{"y": "| a |\n|---|\n| 2 |\n"}, {"x": "| a |\n|---|\n| 1 |\n"}]))
    assert pasted == "<!-- table:x+y -->\n| a |\n|---|\n| 1 |\n| 2 |\n<!-- /table -->\n"


def test_versions_are_in_the_order_of_their_numbers(tmp_path):
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.json").write_text("{}")
    assert list(report.load(tmp_path)) == ["1.10.0", "1.9.0", "1.2.0"]


def test_check_reports_a_page_that_is_out_of_date(tmp_path):
    page, folder = tmp_path / "page.md", tmp_path / "results" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(json.dumps({"benchmark": "a", "tables": {"x": "| a |\n|---|\n"}}))
    page.write_text("<!-- table:x -->\n<!-- /table -->\n")
    run = lambda *words: CliRunner().invoke(report.main, [*words, "--results", str(folder.parent), str(page)])
    assert run("--check").exit_code == 1 and "| a |" not in page.read_text()
    assert run("--figures", str(tmp_path / "figures")).exit_code == 0 and "| a |" in page.read_text()
    assert run("--check").exit_code == 0


def test_the_pages_of_the_repository_are_up_to_date():
    assert CliRunner().invoke(report.main, ["--check"]).exit_code == 0


def test_variants_that_are_built_are_not_built_again(tmp_path, monkeypatch):
    asked = []

    def built(folder, arguments):
        asked.append(folder.name)
        if len(asked) == 1:
            return {"left_out": "no GPU"}
        accuracy = common.share(9, 10)
        network = {"residues": 100, "seconds": 2.0, "accuracy": accuracy, "macro_f1": None, "recall": {}}
        return {"peak_mib": 5.0, "networks": {"light": network}}

    monkeypatch.setattr(training, "built", built)
    words = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "out.json"), "--name", "kinds"]
    words += ["--variant", "one", "--x", "--variant", "two", "--y 1", "--", "--z", "data"]
    runner = CliRunner()
    assert runner.invoke(training.main, words).exit_code == 0
    table = json.loads((tmp_path / "out.json").read_text())["tables"]["kinds"]
    assert "| one | not measured: no GPU |" in table and "| two | light | 100 | 50 | 5 | 10 | 90.00" in table
    assert runner.invoke(training.main, words).exit_code == 0
    assert asked == ["one", "two", "one"]  # what failed may work now
    refused = runner.invoke(training.main, [*words, "more"])
    assert refused.exit_code == 1 and "other arguments" in refused.output


@pytest.mark.parametrize(
    "path", sorted((ROOT / "benchmarks" / "results").rglob("*.json")), ids=lambda p: p.name
)
def test_a_result_names_no_path_of_the_machine_that_made_it(path):
    assert not re.findall(r'"/\w[^"]*/[^"]*"', path.read_text())
