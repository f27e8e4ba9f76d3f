"""The pure parts of the benchmarks: comparing, counting, rendering."""

import doctest
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import common  # noqa: E402
import compare  # noqa: E402
import hmmscan_rows  # noqa: E402
import tables  # noqa: E402
from compare import Found  # noqa: E402


def found(family=0, ali=(10, 50), score=30.04, evalue=1e-9, protein="p"):
    return Found(protein, family, ali, (ali[0] - 1, ali[1] + 1), (1, 40), score, evalue)


@pytest.mark.parametrize("module", (common, compare, tables))
def test_examples_in_the_docstrings(module):
    assert doctest.testmod(module).failed == 0


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


@pytest.mark.parametrize(
    "other, outcome",
    (
        (found(), "exact"),
        (found(score=30.01), "printed"),
        (found(score=30.2), "score"),
        (found(ali=(12, 50)), "moved"),
        (found(ali=(60, 90)), "lost"),
        (found(family=1), "lost"),
        (found(protein="q"), "lost"),
    ),
)
def test_outcomes(other, outcome):
    assert compare.outcomes([found()], [other]) == [outcome]


def test_besides_are_what_no_reference_domain_overlaps():
    far, sister = found(ali=(60, 90)), found(family=1)
    assert compare.besides([found()], [found(ali=(50, 55)), far, sister]) == [far, sister]


def test_clans_compete_only_where_they_overlap():
    best, sister, far = found(), found(1, (40, 80), evalue=1e-3), found(1, (90, 99), evalue=1e-3)
    stranger, again = found(2, evalue=1e-2), found(0, (45, 60), evalue=1e-2)
    domains = [sister, best, far, stranger, again]
    assert compare.best_of_clans(domains, ["C", "C", ""]) == [False, True, True, True, True]
    assert all(compare.best_of_clans(domains, ["", "", ""]))


def test_why_lost():
    assert compare.why_lost(True, 0, 64, 5.0, 0.0).startswith("candidate")
    assert compare.why_lost(False, 64, 64, 5.0, 0.0) == "beyond K"
    assert compare.why_lost(False, 3, 64, -1.0, 0.0) == "below the threshold"
    assert compare.why_lost(False, 99, 64, -1.0, 0.0) == "beyond K and below the threshold"


def test_render_replaces_what_stands_between_the_marks():
    text = "a\n<!-- table:startup -->\nold\n<!-- /table -->\nb\n"
    empty = tables.render(text, {})
    assert empty == f"a\n<!-- table:startup -->\n{tables.NOTHING}<!-- /table -->\nb\n"
    row = {"wall_s": 0.5, "wall_least_s": 0.4, "wall_most_s": 0.6, "cpu_s": 0.3}
    result = {
        "commands": {"x": row},
        "model": {"families": 7},
        "machine": {"cpu": "C", "cores_used": 1, "pyhmmer": "0"},
    }
    full = tables.render(empty, {"startup": [result]})
    assert "| `x` | 7 | 0.5 | 0.4 | 0.6 | 0.3 |" in full and "C, 1 core(s), pyhmmer 0." in full
    assert tables.render(full, {"startup": [result]}) == full


# Against hmmscan

HEAD, TAIL = b"# target name\n", b"#\n# Program: x\n# [ok]\n"
ROW = b"fam PF1.1 9 p - 99 1e-9 30.0 0.1 1 1 %s 1e-8 29.5 0.0 1 9 %s 9 1 9 0.99 some family\n"


def two_tables(folder, ours, theirs):
    for side, rows in (("ours", ours), ("theirs", theirs)):
        (folder / f"{side}.default.domtblout").write_bytes(HEAD + b"".join(rows) + TAIL)
    return folder, "default", "domtblout"


def test_fields_that_differ_are_counted(tmp_path):
    one, other = ROW % (b"1e-9", b"1"), ROW % (b"2e-9", b"2")
    same = hmmscan_rows.compare(*two_tables(tmp_path, [one, other], [one, other]))
    assert same == {
        "rows": 2,
        "fields": 46,
        "rows that differ": 0,
        "fields that differ": 0,
        "lines identical with blanks and headers": True,
    }
    differing = hmmscan_rows.compare(*two_tables(tmp_path, [one, one], [one, other]))
    assert (differing["rows that differ"], differing["fields that differ"]) == (1, 2)
    lacking = hmmscan_rows.compare(*two_tables(tmp_path, [one], [one, other]))
    assert lacking["rows that differ"] == 1 and not lacking["lines identical with blanks and headers"]


def test_rows_of_both_are_found_by_their_coordinates(tmp_path):
    one, cheaper, other = ROW % (b"1e-9", b"1"), ROW % (b"5e-10", b"1"), ROW % (b"2e-9", b"2")
    network = other.replace(b"some", b"[network] some").replace(b"fam PF1", b"new PF2")
    found = hmmscan_rows.compare_hybrid(*two_tables(tmp_path, [cheaper, network], [one, other]))
    assert found["rows of hmmscan"] == 2 and found["rows that both report"] == 1
    assert found["fields that differ, by column"] == {"12": 1}
    assert found["rows of the network alone"] == 1 and found["other rows that hmmscan lacks"] == 0
    assert tables.columns_that_differ(found) == "1 in column 12"
