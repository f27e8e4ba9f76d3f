"""What exploration finds in made-up train sets: shared rows, conflicts, clans, odd letters."""

import errno
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import synthetic
from conftest import build, refused

from pfamnet.errors import PfamnetError
from pfamnet.explore.page import write_exploration
from pfamnet.explore.statistics import explore
from pfamnet.explore.tables import alphabet, lengths, overview, shared_counts, tables, untrained

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
    return list(table[list(columns)].itertuples(index=False, name=None))


def counts_of(found):
    table = shared_counts(found).set_index(["fold", "other_fold"])
    return {(*folds, kind): n for kind in table for folds, n in table[kind].items() if n}


SIDES = "name", "families", "other_name", "other_families"


def test_shared_rows_are_found_in_all_folds(faulty):
    found = explore([faulty])
    counts = overview(found).set_index("fold")
    assert counts["rows"].to_dict() == {"train": 5, "dev": 3, "test": 3, "total": 11}
    assert counts["repeated sequences"].tolist() == [2, 0, 0, 2]
    assert counts["name repeated too"].tolist() == [1, 0, 0, 1]
    assert sorted(found_in(found.shared, "kind", "fold", "name", "other_fold", "other_name")) == [
        ("name", "train", "c", "dev", "c"),
        ("near", "dev", "e", "test", "near"),
        ("sequence", "dev", "x", "test", "f"),
        ("sequence", "train", "a", "dev", "x"),
        ("sequence", "train", "a", "test", "f"),
    ]
    assert len(shared_counts(found)) == 3 and counts_of(found) == {
        ("train", "dev", "same sequence"): 1,
        ("train", "test", "same sequence"): 1,
        ("dev", "test", "same sequence"): 1,
        ("train", "dev", "same name"): 1,
        ("dev", "test", "over 50% of k-mers, same family"): 1,
    }


def test_near_duplicates_of_large_train_sets_are_not_searched(faulty, tmp_path, monkeypatch):
    monkeypatch.setattr("pfamnet.explore.statistics.NEAR_MOST", 100)
    found = explore([faulty])
    assert set(found.shared["kind"]) == {"sequence", "name"} and shared_counts(found).shape == (3, 4)
    write_exploration(tmp_path, found)
    assert "were not searched" in (tmp_path / "index.html").read_text()


def test_a_domain_inside_one_of_another_family(split):
    found = explore([split(train=[("outer", "PF1", F), ("a", "PF2", A)], dev=[("inner", "PF2", F[20:60])])])
    assert found_in(found.conflicts, "kind", *SIDES) == [("near", "outer", "PF1", "inner", "PF2")]
    assert counts_of(found) == {("train", "dev", "over 50% of k-mers, other family"): 1}


def test_label_conflicts_letters_and_families_without_training_rows(faulty):
    found = explore([faulty])
    assert found_in(found.conflicts, "kind", *SIDES) == [("sequence", "a", "PF1", "f", "PF2")]
    letters = alphabet(found).set_index("letter")["number"]
    assert (letters["X"], letters["B"], letters.sum()) == (2, 1, found.rows["length"].sum())
    counts = overview(found).set_index("fold")
    assert counts["rows with other letters"].to_dict() == {"train": 0, "dev": 1, "test": 0, "total": 1}
    assert counts["families"].to_dict() == {"train": 2, "dev": 3, "test": 2, "total": 3}
    assert counts.loc["total", "residues"] == letters.sum() and untrained(found) == 1
    columns = ["accession", "domains", "train", "dev", "test"]
    assert found.families[columns].iloc[0].tolist() == ["PF1.1", 5, 4, 1, 0]


def test_lengths_and_limits(split):
    rows = [(f"r{n}", "PF1", (A * 60)[:n]) for n in (10, 64, 65, 200, 2100)]
    made = tables(explore([split(train=rows)]))
    train = made["lengths.tsv"].set_index("rows").loc["train"]
    assert train[["number", "mean", "median", "p0", "p100"]].tolist() == [5, 487.8, 65, 10, 2100]
    limits = made["limits.tsv"].query("rows == 'train'").set_index("limit").drop(columns="rows")
    assert limits.index.tolist() == [64, 128, 256, 512, 1024, 2048]
    assert limits.loc[64].tolist() == [3, 60.00, 1 + 136 + 2036, 89.09]
    assert limits.loc[2048].tolist() == [1, 20.00, 52, 2.13]
    assert made["histogram.tsv"]["train"].sum() == 5


def clans_of(found):
    return found_in(tables(found)["clans.tsv"], "clan", "families", "domains")


def test_alignments_with_clans(tmp_path):
    synthetic.write_stockholm(tmp_path / "s.sto", families=5, rows=6)
    found = explore([tmp_path / "s.sto"])
    assert found.folds == ["all"] and clans_of(found) == [("-", 3, 18), ("CL9000", 2, 12)]
    assert found_in(tables(found)["sizes.tsv"], "domains", "families", "families_of_at_least") == [(6, 5, 5)]


def test_families_give_clans(faulty, tmp_path):
    (tmp_path / "f.tsv").write_text("accession\tclan\nPF1\tCL1\nPF2\tCL1\nPF3\t-\n")
    assert clans_of(explore([faulty], families=tmp_path / "f.tsv")) == [("CL1", 2, 8), ("-", 1, 3)]


def test_proteins_with_domains_on_the_same_residues(tmp_path):
    (tmp_path / "train.fa").write_text(synthetic.fasta([("p", A + B + C), ("q", D)]))
    (tmp_path / "test.fa").write_text(synthetic.fasta([("r", A + B + C), ("none", F)]))
    (tmp_path / "t.tsv").write_text(
        "protein\tstart\tend\taccession\np\t1\t40\tPF1\np\t3\t45\tPF2\np\t50\t90\tPF1\nr\t1\t40\tPF1\n"
    )
    found = explore([tmp_path / "train.fa", tmp_path / "test.fa"], tmp_path / "t.tsv")
    assert found.folds == ["train", "test"]  # taken from the names of the files
    assert found_in(found.conflicts, "kind", *SIDES, "residues") == [
        ("overlap", "p", "PF1", "p", "PF2", "1-40 3-45")
    ]
    assert found_in(found.shared, "kind", "name", "other_name") == [("sequence", "p", "r")]
    found = lengths(found)
    assert found["domains"].tolist() == [40, 43, 41, 40] and len(found["total"]) == 4


def test_folds_of_several_splits_bear_their_names(split):
    one, two = (
        split("one", train=[("a", "PF1", A)], dev=[("b", "PF1", B)]),
        split("two", train=[("c", "PF1", B)]),
    )
    found = explore([one, two])
    assert found.folds == ["one/train", "one/dev", "two/train"]
    assert found_in(found.shared, "fold", "other_fold") == [("one/dev", "two/train")]


def test_rows_without_any_family_are_refused(tmp_path):
    (tmp_path / "p.fa").write_text(synthetic.fasta([("p", A)]))
    (tmp_path / "t.tsv").write_text("protein\tstart\tend\taccession\nother\t1\t40\tPF1\n")
    with pytest.raises(PfamnetError, match="none of its records is in"):
        explore([tmp_path / "p.fa"], tmp_path / "t.tsv")


# The page


LINK = re.compile("src|href")


class Page(HTMLParser):
    VOID = {"meta"}

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
    links = [value for _, attributes in page.tags for key, value in attributes.items() if LINK.search(key)]
    assert all(link.startswith("#") for link in links) and "url(http" not in text
    assert [tag for tag, _ in page.tags].count("svg") == 3
    assert "train" in page.text and "mathdefault" not in page.text
    for path in tmp_path.glob("*.tsv"):
        assert len({line.count("\t") for line in path.read_text().splitlines()}) == 1


def test_names_that_are_not_utf8(tmp_path):
    (tmp_path / "p.fa").write_bytes(f">p\n{A}\n>".encode() + b"q\xe9\n" + f"{B}\n".encode())
    (tmp_path / "t.tsv").write_text("protein\tstart\tend\taccession\np\t1\t40\tPF1\n")
    found = explore([tmp_path / "p.fa"], tmp_path / "t.tsv")
    assert found.rows["name"].tolist() == ["p", r"q\udce9"]
    write_exploration(tmp_path, found)


# The command


def test_explore_writes_a_page_and_tables(faulty, tmp_path):
    done = build("--explore", tmp_path / "new" / "out", faulty)
    assert done.stdout == "" and done.stderr.endswith(
        "11 rows, 3 families; 5 rows shared between folds, 1 label conflicts\n"
    )
    made = {path.name for path in (tmp_path / "new" / "out").iterdir()}
    assert made == {"index.html", *tables(explore([faulty]))} and len(made) == 11
    for path in (tmp_path / "new" / "out").glob("*.tsv"):
        assert len({line.count("\t") for line in path.read_text().splitlines()}) == 1


def test_explore_needs_no_torch(faulty, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = sys.modules['pyhmmer'] = None; "
        "from pfamnet.cli.build import build; "
        "from pfamnet.cli.common import run; "
        f"sys.exit(run(build, ['--explore', {str(tmp_path / 'o')!r}, {str(faulty)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ("pandas", "matplotlib"))
def test_a_missing_package_is_one_line(package, faulty, tmp_path):
    code = f"import sys; sys.modules[{package!r}] = None; import pfamnet.explore.page"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"PfamnetError: {package} is not installed: pip install 'pfamnet[explore]'" in done.stderr


@pytest.mark.slow
def test_what_cannot_be_explored_is_one_line(faulty, tmp_path):
    (tmp_path / "file").write_text("x")
    assert "file: exists and is no directory" in refused(
        build("--explore", tmp_path / "file", faulty, check=False)
    )
    assert "not a directory" in refused(build("--explore", tmp_path / "file/x", faulty, check=False))
    assert "none.fa" in refused(build("--explore", tmp_path / "out", tmp_path / "none.fa", check=False))
    (tmp_path / "empty").write_text("")
    assert "empty: empty file" in refused(
        build("--explore", tmp_path / "out", tmp_path / "empty", check=False)
    )
    assert not (tmp_path / "out").exists()
    assert "not together with --max-families" in refused(
        build("--explore", tmp_path / "out", "--max-families", 3, faulty, check=False), 2
    )
    assert "<trainset>" in refused(build(tmp_path / "out", check=False), 2)


def test_an_exploration_overwrites_only_an_exploration(faulty, tmp_path):
    table = "accession\tname\nPF1\ta\n"
    (tmp_path / "families.tsv").write_text(table)
    for options in ([], ["--families", tmp_path / "families.tsv"]):
        said = refused(build("--explore", tmp_path, *options, faulty, check=False))
        assert f"{tmp_path / 'families.tsv'}: exists and would be overwritten" in said
    assert {path.name for path in tmp_path.iterdir()} == {"families.tsv", faulty.name}
    assert (tmp_path / "families.tsv").read_text() == table
    for _ in range(2):
        build("--explore", tmp_path / "new", faulty)
    options = ["--families", tmp_path / "new" / "families.tsv"]
    assert "overwritten" in refused(build("--explore", tmp_path / "new", *options, faulty, check=False))


def test_texts_that_are_not_utf8(tmp_path):
    """Names, accessions and clans of families, and names of files."""
    path, table = os.fsencode(tmp_path) + b"/n\xe9.sto", tmp_path / "names.tsv"
    with open(path, "wb") as file:
        file.write(b"# STOCKHOLM 1.0\n#=GF ID Fam\xe9\n#=GF AC PF1\xe9.1\na/1-8 MKVLAAGG\n//\n")
    table.write_bytes(b"accession\tname\tclan\nPF1\xe9.1\tmine\tCL\xe9\n")
    found = explore([os.fsdecode(path)], families=table)
    assert found_in(found.families, "accession", "name", "clan") == [
        ("PF1\\udce9.1", "Fam\\udce9", "CL\\udce9")
    ]
    assert found_in(found.rows, "name", "families") == [("a/1-8", "PF1\\udce9.1")]
    write_exploration(tmp_path, found)
    assert "n\\udce9.sto" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_splits_of_one_name_are_told_apart(split, tmp_path):
    one, two = (split(f"{name}/s", train=[("a", "PF1.1", A)]) for name in ("x", "y"))
    found = explore([one, two])
    assert found.folds == [f"{one}/train", f"{two}/train"] and len(found.shared) == 1


def test_what_cannot_be_written_leaves_nothing(faulty, tmp_path, monkeypatch):
    folder, found = tmp_path / "out", explore([faulty])
    folder.mkdir()
    with monkeypatch.context() as patches:
        patches.setattr(os, "replace", full_disk_at("index.html", os.replace))
        with pytest.raises(OSError) as caught:
            write_exploration(folder, found)
    assert caught.value.filename == str(folder / "index.html") and not list(folder.iterdir())
    write_exploration(folder, found)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with monkeypatch.context() as patches:
        patches.setattr(os, "replace", full_disk_at("clans.tsv", os.replace))
        with pytest.raises(OSError):
            write_exploration(folder, found)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def full_disk_at(name, replace):
    """`os.replace` that fails for files of a name."""

    def failing(one, two):
        if Path(two).name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(one, two)

    return failing
