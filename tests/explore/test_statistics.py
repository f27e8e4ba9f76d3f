"""What exploration finds in train sets made to hold it: twins, conflicts, clans, odd letters."""

import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
import synthetic
from conftest import build, refused

from pfamnet.errors import PfamnetError
from pfamnet.explore.page import write_exploration
from pfamnet.explore.statistics import explore
from pfamnet.explore.tables import summary, tables, twin_counts

HEADER = "family_id,sequence_name,family_accession,aligned_sequence,sequence\n"
RNG = np.random.default_rng(0)
A, B, C, D, E, F = (synthetic.random_sequence(RNG, 40 + 10 * i) for i in range(6))


@pytest.fixture
def split(tmp_path):
    """A seed split with one of each: folds given as rows (name, accession, sequence)."""

    def split(name="split", **folds):
        for fold, rows in folds.items():
            path = tmp_path / name / fold / "data-00000-of-00001"
            path.parent.mkdir(parents=True)
            path.write_text(HEADER + "".join(f"{acc.lower()},{row},{acc},,{seq}\n" for row, acc, seq in rows))
        return tmp_path / name

    return split


@pytest.fixture
def faulty(split):
    return split(
        train=[
            ("a", "PF1.1", A),
            ("b", "PF1.1", B),
            ("b2", "PF1.1", B),
            ("b", "PF1.1", B),
            ("c", "PF2.1", C),
        ],
        dev=[("x", "PF1.1", A), ("c", "PF2.1", D), ("e", "PF3.1", E + "XXB")],
        test=[("f", "PF2.1", A), ("near", "PF3.1", E[1:-1]), ("g", "PF3.1", F)],
    )


def found_in(table, *columns):
    head = table[0]
    return [tuple(row[head.index(column)] for column in columns) for row in table[1:]]


def test_twins_are_found_in_all_folds(faulty):
    found = explore([faulty])
    assert {fold: len(rows) for fold, rows in found.rows.items()} == {"train": 5, "dev": 3, "test": 3}
    assert found.repeats == {"train": (2, 1), "dev": (0, 0), "test": (0, 0)}
    assert sorted(
        found_in(tables(found)["twins.tsv"], "kind", "fold", "name", "other_fold", "other_name")
    ) == [
        ("name", "train", "c", "dev", "c"),
        ("near", "dev", "e", "test", "near"),
        ("sequence", "dev", "x", "test", "f"),
        ("sequence", "train", "a", "dev", "x"),
        ("sequence", "train", "a", "test", "f"),
    ]
    assert twin_counts(found) == {
        ("same sequence", "train", "dev"): 1,
        ("same sequence", "train", "test"): 1,
        ("same sequence", "dev", "test"): 1,
        ("same name", "train", "dev"): 1,
        ("same name", "train", "test"): 0,
        ("same name", "dev", "test"): 0,
        **{
            (f"over 50% of words, {family} family", *folds): int((family, *folds) == ("same", "dev", "test"))
            for family in ("same", "other")
            for folds in (("train", "dev"), ("train", "test"), ("dev", "test"))
        },
    }


def test_a_domain_inside_one_of_another_family_is_told(split):
    found = explore([split(train=[("outer", "PF1", F), ("a", "PF2", A)], dev=[("inner", "PF2", F[20:60])])])
    assert found_in(
        tables(found)["conflicts.tsv"], "kind", "name", "family", "other_name", "other_family"
    ) == [("near", "outer", "PF1", "inner", "PF2")]
    assert twin_counts(found)["over 50% of words, other family", "train", "dev"] == 1


def test_label_conflicts_letters_and_families_without_training_rows(faulty):
    found = explore([faulty])
    assert found_in(
        tables(found)["conflicts.tsv"], "kind", "name", "family", "other_name", "other_family"
    ) == [("sequence", "a", "PF1", "f", "PF2")]
    assert (found.letters["X"], found.letters["B"], found.odd) == (2, 1, 1)
    assert sum(found.letters.values()) == sum(len(e.sequence) for rows in found.rows.values() for e in rows)
    lines = {(what, fold): value for what, fold, value in summary(found)[1:]}
    assert lines["families with rows, but none in train", "all"] == 1
    assert lines["rows", "all"] == 11 and lines["families", "train"] == 2
    assert found_in(tables(found)["families.tsv"], "accession", "domains", "train", "dev", "test")[0] == (
        "PF1.1",
        5,
        4,
        1,
        0,
    )


def test_lengths_and_limits(split):
    rows = [(f"r{n}", "PF1", (A * 60)[:n]) for n in (10, 64, 65, 200, 2100)]
    found = explore([split(train=rows)])
    made = tables(found)
    train = next(row for row in made["lengths.tsv"] if row[0] == "train")
    assert train[:4] == ("train", 5, "487.8", "65") and train[4] == "10" and train[-1] == "2100"
    limits = {row[0]: row[2:] for row in made["limits.tsv"][1:] if row[1] == "train"}
    assert list(limits) == [64, 128, 256, 512, 1024, 2048]
    assert limits[64] == (3, "60.00", 1 + 136 + 2036, "89.09") and limits[2048] == (1, "20.00", 52, "2.13")
    assert sum(row[2] for row in made["histogram.tsv"][1:]) == 5


def test_alignments_with_clans(tmp_path):
    synthetic.write_stockholm(tmp_path / "s.sto", families=5, rows=6)
    found = explore([tmp_path / "s.sto"])
    assert list(found.rows) == ["all"] and found.law is None
    assert tables(found)["clans.tsv"][1:] == [("-", 3, 18), ("CL9000", 2, 12)]
    assert sum(dict(found_in(tables(found)["sizes.tsv"], "domains", "families")).values()) == 5


def test_families_give_clans(faulty, tmp_path):
    (tmp_path / "f.tsv").write_text("accession\tclan\nPF1\tCL1\nPF2\tCL1\nPF3\t-\n")
    assert tables(explore([faulty], families=tmp_path / "f.tsv"))["clans.tsv"][1:] == [
        ("CL1", 2, 8),
        ("-", 1, 3),
    ]


def test_proteins_with_domains_on_the_same_residues(tmp_path):
    (tmp_path / "train.fa").write_text(synthetic.fasta([("p", A + B + C), ("q", D)]))
    (tmp_path / "test.fa").write_text(synthetic.fasta([("r", A + B + C), ("none", F)]))
    (tmp_path / "t.tsv").write_text(
        "protein\tstart\tend\taccession\np\t1\t40\tPF1\np\t3\t45\tPF2\np\t50\t90\tPF1\nr\t1\t40\tPF1\n"
    )
    found = explore([tmp_path / "train.fa", tmp_path / "test.fa"], tmp_path / "t.tsv")
    assert list(found.rows) == ["train", "test"]  # files' names tell the folds
    assert found_in(tables(found)["conflicts.tsv"], "kind", "name", "family", "other_family", "residues") == [
        ("overlap", "p", "PF1", "PF2", "1-40 3-45")
    ]
    assert [(t.kind, t.one.name, t.other.name) for t in found.twins] == [("sequence", "p", "r")]
    assert found.lengths["domains"].tolist() == [40, 43, 41, 40] and len(found.lengths["together"]) == 4


def test_folds_of_several_splits_bear_their_names(split):
    one, two = (
        split("one", train=[("a", "PF1", A)], dev=[("b", "PF1", B)]),
        split("two", train=[("c", "PF1", B)]),
    )
    found = explore([one, two])
    assert list(found.rows) == ["one/train", "one/dev", "two/train"]
    assert [(t.one.fold, t.other.fold) for t in found.twins] == [("one/dev", "two/train")]


def test_rows_without_any_family_are_refused(tmp_path):
    (tmp_path / "p.fa").write_text(synthetic.fasta([("p", A)]))
    (tmp_path / "t.tsv").write_text("protein\tstart\tend\taccession\nother\t1\t40\tPF1\n")
    with pytest.raises(PfamnetError, match="none of its records is in"):
        explore([tmp_path / "p.fa"], tmp_path / "t.tsv")


# The page


class Page(HTMLParser):
    VOID = {"meta", "line", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_stands_alone_and_its_names_are_no_markup(split, tmp_path):
    evil = "<script>alert(1)</script>"
    rows = [(f"{evil}{i}", f"PF<b>{i % 12}", A[: 20 + i]) for i in range(40)]
    write_exploration(tmp_path, explore([split(train=rows, dev=[(evil, "PF&", A[:20])])]))
    text = (tmp_path / "index.html").read_text()
    page = Page(text)
    assert page.open == [] and "script" not in {tag for tag, _ in page.tags} and evil in page.text
    assert not any(key in ("src", "href") for _, attributes in page.tags for key in attributes)
    assert [tag for tag, _ in page.tags].count("svg") == 3
    assert sum(attributes.get("class") == "bar" for _, attributes in page.tags) > 14
    for tag, attributes in page.tags:  # nothing is drawn outside the picture
        if tag == "rect":
            assert 0 <= float(attributes["x"]) <= 640 and float(attributes["height"]) >= 0


# The command


def test_explore_writes_a_page_and_tables(faulty, tmp_path):
    done = build("--explore", tmp_path / "new" / "out", faulty)
    assert done.stdout == "" and done.stderr.endswith(
        "11 rows, 3 families; 5 twins in two folds, 1 label conflicts\n"
    )
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == [
        "alphabet.tsv",
        "clans.tsv",
        "conflicts.tsv",
        "families.tsv",
        "histogram.tsv",
        "index.html",
        "lengths.tsv",
        "limits.tsv",
        "sizes.tsv",
        "summary.tsv",
        "twins.tsv",
    ]
    for path in (tmp_path / "new" / "out").glob("*.tsv"):
        assert len({line.count("\t") for line in path.read_text().splitlines()}) == 1


def test_explore_needs_no_torch(faulty, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = sys.modules['pyhmmer'] = None; from pfamnet.cli.build import build; "
        "from pfamnet.cli.common import run; "
        f"sys.exit(run(build, ['--explore', {str(tmp_path / 'o')!r}, {str(faulty)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_explored_is_one_line(faulty, tmp_path):
    (tmp_path / "file").write_text("x")
    assert "file: exists, and is no directory" in refused(
        build("--explore", tmp_path / "file", faulty, check=False)
    )
    assert "not a directory" in refused(build("--explore", tmp_path / "file/x", faulty, check=False))
    assert "none.fa" in refused(build("--explore", tmp_path / "out", tmp_path / "none.fa", check=False))
    (tmp_path / "empty").write_text("")
    assert "empty: empty file" in refused(
        build("--explore", tmp_path / "out", tmp_path / "empty", check=False)
    )
    assert not (tmp_path / "out").exists()
    assert "not together with --top" in refused(
        build("--explore", tmp_path / "out", "--top", 3, faulty, check=False), 2
    )
    assert "<trainset>" in refused(build(tmp_path / "out", check=False), 2)
