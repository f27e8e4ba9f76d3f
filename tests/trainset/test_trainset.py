"""Train sets as a whole: merging, folds, choosing families, warnings."""

from pathlib import Path

import numpy as np
import pytest
from synthetic import write

from pfamnet.errors import PfamnetError
from pfamnet.trainset.domains import DomainTable
from pfamnet.trainset.trainset import read_trainset

DATA = Path(__file__).parents[1] / "data"


def labelled(path, *rows):
    """Write labelled FASTA of (name, accession, sequence)."""
    return write(path, "".join(f">{name} {acc}\n{sequence}\n" for name, acc, sequence in rows))


def split(path, train, dev=()):
    header = "family_id,sequence_name,family_accession,aligned_sequence,sequence"
    write(path / "train/data-00000-of-00001", "\n".join([header, *train]) + "\n")
    if dev:
        write(path / "dev/data-00000-of-00001", "\n".join([header, *dev]) + "\n")
    return path


def proteins(path, lengths, domains):
    """Write proteins of these lengths and a table of domains; return both paths."""
    records = [f">{name}\n{('ACDEFGHIKL' * 9)[:length]}\n" for name, length in lengths.items()]
    fasta = write(path / "fa", "".join(records))
    rows = ["protein\tstart\tend\taccession"] + ["\t".join(map(str, row)) for row in domains]
    return fasta, write(path / "domains", "\n".join(rows) + "\n")


def labels(fold, families):
    """Return {name: [(start, end, accession or None)]}."""
    found = {name: [] for name in fold.names}
    for sequence, start, end, family in fold.domains.tolist():
        accession = None if family < 0 else families[family].accession
        found[fold.names[sequence]].append((start, end, accession))
    return found


def test_real_seed_split():
    trainset = read_trainset([DATA / "seed_split"])
    assert [family.accession for family in trainset.families] == ["PF00013.29", "PF00126.27", "PF00391.23"]
    assert [family.name for family in trainset.families] == ["KH_1", "HTH_1", "PEP-utilizers"]
    assert [family.rows for family in trainset.families] == [6, 6, 6]
    assert (len(trainset.train.sequences), len(trainset.dev.sequences)) == (18, 6)
    assert not trainset.train.whole.any() and trainset.train.whole.dtype == bool
    assert trainset.train.domains.dtype == np.int32 and trainset.train.domains.shape == (18, 4)
    assert {i: len(rows) for i, rows in trainset.alignments.items()} == {1: 3, 2: 4}
    for rows in trainset.alignments.values():
        assert len({len(row) for _, row in rows}) == 1
        assert {name for name, _ in rows} <= set(trainset.train.names)
    assert trainset.warnings == []


def test_real_stockholm():
    trainset = read_trainset([DATA / "seeds.sto"], holdout=0.25)
    hth, pep = trainset.families
    assert (hth.name, hth.clan, hth.rows) == ("HTH_1", "CL0123", 9)
    assert hth.description == "Bacterial regulatory helix-turn-helix protein, lysR family"
    assert (pep.name, pep.clan, pep.rows, pep.ga) == ("PEP-utilizers", "CL0364", 9, None)
    assert [len(rows) for rows in trainset.alignments.values()] == [9, 9]
    assert len(trainset.dev.sequences) == 6
    assert not set(trainset.dev.names) & set(trainset.train.names)
    again = read_trainset([DATA / "seeds.sto"], holdout=0.25)
    assert again.dev.names == trainset.dev.names
    assert read_trainset([DATA / "seeds.sto"], holdout=0.25, seed=1).dev.names != again.dev.names
    assert read_trainset([DATA / "seeds.sto"], holdout=0).dev is None


def test_real_inputs_merged():
    """The same rows stand in both: each is kept once, in the fold that the split gives it."""
    trainset = read_trainset([DATA / "seeds.sto", DATA / "seed_split"])
    assert [family.key for family in trainset.families] == ["PF00013", "PF00126", "PF00391"]
    assert trainset.families[1].clan == "CL0123"
    assert list(trainset.alignments) == [1, 2]
    pairs = list(zip(trainset.train.names, trainset.train.sequences))
    assert len(pairs) == len(set(pairs))
    assert not set(pairs) & set(zip(trainset.dev.names, trainset.dev.sequences))
    assert "families aligned in several inputs: 2 (PF00126, PF00391)" in trainset.warnings[0]
    assert trainset.warnings[1].startswith("repeated rows dropped: ")


def test_proteins(tmp_path):
    fasta, domains = proteins(
        tmp_path,
        {"p": 30, "q": 20, "r": 10},
        [("q", 3, 20, "PF2.1"), ("p", 1, 10, "PF2.1"), ("p", 5, 30, "PF1.4"), ("z", 1, 2, "PF3")],
    )
    trainset = read_trainset([fasta], domains=domains, holdout=0)
    assert labels(trainset.train, trainset.families) == {
        "p": [(0, 10, "PF2.1"), (4, 30, "PF1.4")],
        "q": [(2, 20, "PF2.1")],
        "r": [],
    }
    assert trainset.train.whole.all()
    assert [(f.accession, f.name, f.rows) for f in trainset.families] == [
        ("PF1.4", "PF1.4", 1),
        ("PF2.1", "PF2.1", 2),
    ]
    assert trainset.warnings == [
        f"{domains}: 1 domains ignored, as no train set has their proteins (z)",
        "families with one training row: 1 (PF1)",
    ]


def test_families_left_out(tmp_path):
    fasta, domains = proteins(
        tmp_path, {"p": 30, "q": 20}, [("p", 1, 10, "PF2.1"), ("p", 5, 30, "PF1.4"), ("q", 1, 20, "PF2.1")]
    )
    rows = ("a", "PF1", "ACD"), ("b", "PF3", "ACDE"), ("c", "PF1", "AC")
    isolated = labelled(tmp_path / "iso", *rows)
    paths = [fasta, isolated]
    top = read_trainset(paths, domains=domains, holdout=0, top=1)
    assert labels(top.train, top.families) == {
        "p": [(0, 10, None), (4, 30, "PF1.4")],
        "q": [(0, 20, None)],
        "a": [(0, 3, "PF1.4")],
        "c": [(0, 2, "PF1.4")],
    }
    assert top.train.whole.tolist() == [True, True, False, False]
    only = read_trainset(paths, domains=domains, holdout=0, only={"PF2", "PF3.7", "PF9"})
    assert labels(only.train, only.families) == {
        "p": [(0, 10, "PF2.1"), (4, 30, None)],
        "q": [(0, 20, "PF2.1")],
        "b": [(0, 4, "PF3")],
    }
    assert only.warnings[0] == "families left out, as not wanted: 1 (PF1)"
    message = "none of the train sets' families is wanted: PF1, PF2, PF3"
    with pytest.raises(PfamnetError, match=message):
        read_trainset(paths, domains=domains, only={"PF9"})


def test_top_of_equal_families_is_the_first(tmp_path):
    path = labelled(tmp_path / "iso", ("a", "PF2", "ACD"), ("b", "PF1", "ACDE"))
    assert [family.key for family in read_trainset([path], top=1).families] == ["PF1"]


def test_latest_version_and_description_from_the_table(tmp_path):
    first = labelled(tmp_path / "1", ("a", "PF1.9", "ACD"), ("b", "PF2", "ACD"))
    second = labelled(tmp_path / "2", ("c", "PF1.10", "ACE"), ("d", "PF1.3", "ACF"))
    third = write(
        tmp_path / "3",
        "# STOCKHOLM 1.0\n#=GF ID one\n#=GF AC PF1.2\n#=GF NC 9.5 8.25;\n#=GF GA 10 9;\ne ACG\n//\n",
    )
    table = write(
        tmp_path / "families",
        "accession\tid\tclan\tdescription\nPF1.11\tother\tCL1\tThe first\n"
        "PF2.5\ttwo\t-\t-\nPF3\tthree\t-\t-\n",
    )
    one, two = read_trainset([first, second, third], families=table, holdout=0).families
    assert (one.accession, one.name, one.clan) == ("PF1.10", "one", "CL1")
    assert one.description == "The first"
    assert (one.ga, one.tc, one.nc, one.rows) == ((10, 9), None, (9.5, 8.25), 4)
    assert (two.accession, two.name, two.clan) == ("PF2.5", "two", "")


def test_single_residues_are_dropped(tmp_path):
    path = labelled(tmp_path / "iso", ("a", "PF1", "ACD"), ("b", "PF1", "M"), ("c", "PF1", "ACE"))
    trainset = read_trainset([path], holdout=0)
    assert trainset.train.names == ["a", "c"]
    assert trainset.warnings == [f"sequences of one residue dropped: 1 ({path}: record 2 'b')"]


def test_family_of_one_sequence_is_kept(tmp_path):
    path = labelled(tmp_path / "iso", ("a", "PF1", "ACD"))
    trainset = read_trainset([path], holdout=0.9)
    assert (trainset.families[0].rows, trainset.dev) == (1, None)
    assert trainset.warnings == ["families with one training row: 1 (PF1)"]


def test_two_labels_are_refused(tmp_path):
    rows = ("a", "PF1", "ACD"), ("b", "PF1", "ACE"), ("a", "PF2", "ACD")
    path = labelled(tmp_path / "iso", *rows)
    with pytest.raises(PfamnetError) as caught:
        read_trainset([path])
    assert str(caught.value) == (f"{path}: record 3 'a': labelled PF2, but PF1 in {path}: record 1")
    folds = split(tmp_path / "folds", ["x,a,PF1,,ACD"], ["y,a,PF2,,ACD"])
    message = r"dev/.*: line 2 'a': labelled PF2, but PF1 in .*train/"
    with pytest.raises(PfamnetError, match=message):
        read_trainset([folds])


def test_repeated_rows_are_dropped(tmp_path):
    rows = ("a", "PF1.1", "ACD"), ("a", "PF1.2", "ACD"), ("a", "PF1", "ACE")
    path = labelled(tmp_path / "iso", *rows)
    trainset = read_trainset([path], holdout=0)
    assert trainset.train.sequences == ["ACD", "ACE"]
    assert trainset.warnings == [f"repeated rows dropped: 1 ({path}: record 2 'a')"]


def test_repeated_row_goes_with_the_given_fold(tmp_path):
    path = labelled(tmp_path / "iso", ("a", "PF1", "ACD"), ("b", "PF1", "ACE"))
    folds = split(tmp_path / "folds", ["x,c,PF1,,ACF", "x,d,PF1,,ACG"], ["x,a,PF1,,ACD"])
    trainset = read_trainset([path, folds])
    assert (trainset.train.names, trainset.dev.names) == (["b", "c", "d"], ["a"])


def test_dev_sequences_of_train_are_dropped(tmp_path):
    path = split(tmp_path, ["x,a,PF1,,ACD", "x,b,PF1,,ACF"], ["x,c,PF1,,ACD", "x,d,PF1,,ACE"])
    trainset = read_trainset([path])
    assert trainset.dev.names == ["d"]
    place = f"{path}/dev/data-00000-of-00001: line 2 'c'"
    assert trainset.warnings == [
        f"validation sequences dropped, as the training set has them too: 1 ({place})"
    ]


def test_dev_domains_without_training_rows_are_dropped(tmp_path):
    path = split(tmp_path, ["x,a,PF1,,ACD", "x,b,PF1,,ACF"], ["x,c,PF1,,ACG", "y,d,PF2,,ACE"])
    trainset = read_trainset([path])
    assert (trainset.dev.names, len(trainset.families)) == (["c"], 1)
    assert trainset.warnings == [
        "validation domains dropped, as their families have no training rows: 1 (PF2)"
    ]


def test_unequal_rows_of_a_split_are_refused(tmp_path):
    path = split(tmp_path, ["x,a,PF1,A-CD,ACD", "x,b,PF1,,ACE", "x,c,PF1,AC-D-,ACD"])
    message = r"line 4 'c': 5 columns, the first row of PF1 \(.*line 2\) has 4"
    with pytest.raises(PfamnetError, match=message):
        read_trainset([path])


def test_duplicate_proteins_are_refused(tmp_path):
    fasta, domains = proteins(tmp_path, {"p": 30}, [("p", 1, 10, "PF1")])
    message = "fa: record 1: protein 'p' is already in .*fa: record 1"
    with pytest.raises(PfamnetError, match=message):
        read_trainset([fasta, fasta], domains=domains)


def test_no_families(tmp_path):
    path = labelled(tmp_path / "iso", ("a", "PF1", "M"))
    with pytest.raises(PfamnetError, match="iso: no family has a training row"):
        read_trainset([path])
    _, domains = proteins(tmp_path, {"p": 30}, [("p", 1, 10, "PF1")])
    with pytest.raises(PfamnetError, match="domains: none of its proteins is in the train sets"):
        read_trainset([path], domains=domains)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"holdout": 1}, "holdout 1 is not a fraction from 0 to below 1"),
        ({"top": 0}, "top 0: at least one family must be kept"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(PfamnetError, match=message):
        read_trainset([DATA / "seeds.sto"], **options)


def test_family_names_are_one_word(tmp_path):
    path = split(tmp_path, ["heat shock,a,PF1,,ACD", "heat shock,b,PF1,,ACE"])
    assert read_trainset([path]).families[0].name == "heat_shock"


def test_long_lists_are_cut(tmp_path):
    path = labelled(tmp_path / "iso", *((f"n{i}", f"PF{i}", "ACD") for i in range(6)))
    assert read_trainset([path]).warnings == ["families with one training row: 6 (PF0, PF1, PF2 and 3 more)"]


# Domains cut from proteins


def test_domains_are_cut_from_proteins_beside_other_rows(tmp_path):
    fasta, table = proteins(
        tmp_path,
        {"P": 60, "Q": 50, "none": 30},
        [("P", 1, 20, "PF1.2"), ("P", 31, 60, "PF2"), ("Q", 5, 30, "PF1")],
    )
    rows = labelled(tmp_path / "rows.fa", ("r", "PF1.1", "MKT"))
    trainset = read_trainset([fasta, rows], table, cut=True, holdout=0)
    sequence = "ACDEFGHIKL" * 9
    assert dict(zip(trainset.train.names, trainset.train.sequences, strict=True)) == {
        "P/1-20": sequence[:20],
        "P/31-60": sequence[30:60],
        "Q/5-30": sequence[4:30],
        "r": "MKT",
    }
    assert not trainset.train.whole.any()
    assert labels(trainset.train, trainset.families)["P/31-60"] == [(0, 30, "PF2")]
    assert [(family.accession, family.rows) for family in trainset.families] == [("PF1.2", 3), ("PF2", 1)]


def test_of_domains_on_the_same_residues_the_better_one_is_cut(tmp_path):
    rows = [
        ("P", 1, 60, "PF1", 40.5),
        ("P", 3, 70, "PF2", 50),
        ("P", 10, 20, "PF3", 5),
        ("P", 65, 80, "PF4", "-"),
    ]
    fasta, table = proteins(tmp_path, {"P": 80}, rows)
    table.write_text(table.read_text().replace("accession\n", "accession\tbits\n"))
    trainset = read_trainset([fasta], table, cut=True, holdout=0)
    assert sorted(trainset.train.names) == ["P/10-20", "P/3-70", "P/65-80"]
    assert "1 domains not cut" in " ".join(trainset.warnings)
    uncut = read_trainset([fasta], table, holdout=0)
    assert len(uncut.train.domains) == 4 and "not cut" not in " ".join(uncut.warnings)


def test_without_scores_the_longer_domain_is_cut(tmp_path):
    fasta, table = proteins(tmp_path, {"P": 80}, [("P", 1, 60, "PF1"), ("P", 3, 70, "PF2")])
    assert read_trainset([fasta], table, cut=True, holdout=0).train.names == ["P/3-70"]


def test_a_score_that_is_none_is_refused_only_where_scores_count(tmp_path):
    fasta, table = proteins(tmp_path, {"P": 80}, [("P", 1, 60, "PF1", "high")])
    table.write_text(table.read_text().replace("accession\n", "accession\tscore\n"))
    read_trainset([fasta], table, holdout=0)
    with pytest.raises(PfamnetError, match="line 2: score 'high' is not a number"):
        read_trainset([fasta], table, cut=True)


def test_two_proteins_of_one_name_are_refused_where_domains_are_cut(tmp_path):
    fasta, table = proteins(tmp_path, {"P": 80}, [("P", 1, 60, "PF1")])
    fasta.write_text(fasta.read_text() + ">P\n" + "MKT" * 30 + "\n")
    with pytest.raises(PfamnetError, match="protein 'P' is already"):
        read_trainset([fasta], table, cut=True)


def test_rows_that_resemble_both_folds_are_dropped(tmp_path):
    one, other = "MKTAYIAKQRQISFVKSHFSRQ", "GWLEEHNPCDTMVFPSLQAYKD"
    folds = split(tmp_path / "split", [f"F,a,PF1,,{one}"], [f"F,b,PF1,,{other}"])
    rows = labelled(tmp_path / "rows.fa", ("both", "PF1", one[:15] + other[:15]), ("near", "PF1", one[3:]))
    trainset = read_trainset([folds, rows])
    assert trainset.train.names == ["a", "near"] and trainset.dev.names == ["b"]
    assert "similar to both training and validation rows: 1" in trainset.warnings[0]


def test_families_of_one_name_are_told_apart(tmp_path):
    path = tmp_path / "seeds.sto"
    family = "# STOCKHOLM 1.0\n#=GF ID Twin\n#=GF AC PF{0}.1\na{0} ACDEFG\nb{0} ACDEFH\n//\n"
    path.write_text("".join(map(family.format, "12")))
    trainset = read_trainset([path], holdout=0)
    assert [family.name for family in trainset.families] == ["Twin_PF1", "Twin_PF2"]
    assert trainset.warnings == [
        "families of one name, told apart by their accessions: 2 (Twin PF1, Twin PF2)"
    ]


def test_names_that_tell_apart_are_no_others_names(tmp_path):
    family = "# STOCKHOLM 1.0\n#=GF ID {0}\n#=GF AC {1}\n#=GF TP Repeat\na{1} ACDEFG\nb{1} ACDEFH\n//\n"
    names = ("Twin", "PF1"), ("Twin", "PF2"), ("Twin_PF1", "PF3")
    (tmp_path / "seeds.sto").write_text("".join(family.format(*pair) for pair in names))
    families = read_trainset([tmp_path / "seeds.sto"], holdout=0).families
    assert [family.name for family in families] == ["Twin_PF1_PF1", "Twin_PF2", "Twin_PF1_PF3"]
    assert {family.type for family in families} == {"Repeat"}


def test_a_domain_of_no_known_family_is_no_background(tmp_path):
    (tmp_path / "p.fa").write_text(">a\n" + "MKVLAWFD" * 9 + "\n")
    table = DomainTable("p.fa", {"a": [(1, 20, "PF00001.1", "One", 0, 30.0), (31, 50, "", "", 0, 9.0)]})
    made = read_trainset((), holdout=0, searched=(tmp_path / "p.fa", table))
    assert [family.name for family in made.families] == ["One"] and made.families[0].rows == 1
    assert made.train.domains.tolist() == [[0, 0, 20, 0], [0, 30, 50, -1]]
    cut = read_trainset((), holdout=0, cut=True, searched=(tmp_path / "p.fa", table))
    assert cut.train.names == ["a/1-20"] and not cut.warnings[1:]
