"""Families and their table."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfamnet.errors import PfamnetError
from pfamnet.families import Family, accession_key, accession_version, read_families, write_families

GLOBIN = Family(
    "PF00042.25", "Globin", 110, "CL0090", "Globin family", (27.0, 24.9), None, (26.9, 24.1), 73, 9
)


@pytest.mark.parametrize(
    "accession, key, version",
    [
        ("PF00001.23", "PF00001", 23),
        ("PF00001", "PF00001", -1),
        ("my.family", "my.family", -1),
        ("NF000005.1", "NF000005", 1),
        ("a.b.2", "a.b.2", -1),
        ("3.40.50.300", "3.40.50.300", -1),
        ("1.1", "1.1", -1),
        ("cluster.12", "cluster.12", -1),
        ("PF00001.", "PF00001.", -1),
        (".5", ".5", -1),
        ("PF1.\u00b2", "PF1.\u00b2", -1),
        ("", "", -1),
    ],
)
def test_accession_parts(accession, key, version):
    assert accession_key(accession) == key
    assert accession_version(accession) == version


word = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1).filter(
    lambda text: text != "-" and text.split() == [text]
)
words = st.lists(word, max_size=4).map(" ".join)
number = st.floats(allow_nan=False, allow_infinity=False)
cutoffs = st.none() | st.tuples(number, number)
count = st.integers(0, 10**12)
family = st.builds(
    Family, word, word, count, words, words, cutoffs, cutoffs, cutoffs, count, st.none() | count
)


@settings(deadline=None)
@given(st.lists(family, min_size=1, unique_by=lambda family: family.key))
def test_round_trip(tmp_path_factory, families):
    path = tmp_path_factory.getbasetemp() / "families.tsv"
    write_families(path, families)
    assert read_families(path) == families


def test_missing_values_and_white_space(tmp_path):
    path = tmp_path / "families.tsv"
    write_families(path, [Family("F1", "one", description="two\tblanks \n here")])
    header, row = path.read_text().splitlines()
    assert row.split("\t")[3:] == ["-", "two blanks here"] + ["-"] * 6 + ["0", "-", "-"]
    assert read_families(path) == [Family("F1", "one", description="two blanks here")]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "table",
    [
        "accession\tid\tclan\tdescription\nPF00013.29\tKH_1\tCL0007\tKH domain\n",
        "accession\tclan\tclan_id\tid\tdescription\nPF00013.29\tCL0007\tKH\tKH_1\tKH domain\n",
        "\ufeff#Accession\tName\tid\tclan\tdescription\r\n\r\nPF00013.29\tKH_1\tother\tCL0007\tKH domain\r\n",
    ],
)
def test_users_tables(tmp_path, table, pack):
    path = tmp_path / "table"
    path.write_bytes(pack(table.encode()))
    assert read_families(path) == [Family("PF00013.29", "KH_1", clan="CL0007", description="KH domain")]


def test_name_defaults_to_the_accession(tmp_path):
    path = tmp_path / "table"
    path.write_text("accession\tid\nPF00013.29\t-\n")
    assert read_families(path) == [Family("PF00013.29", "PF00013.29")]


@pytest.mark.parametrize(
    "table, message",
    [
        ("", "{}: empty file"),
        ("\n\n", "{}: empty file"),
        ("accession\tid\n", "{}: no families below the header line"),
        ("id\tclan\nKH_1\t-\n", "{}: line 1: no column named 'accession' in the header"),
        ("accession\tid\nPF00013\n", "{}: line 2: 1 fields, the header has 2"),
        ("accession\tid\n-\tKH_1\n", "{}: line 2: accession missing"),
        ("accession\tid\nPF1.1\ta\nPF2\tb\nPF1.2\tc\n", "{}: line 4: family PF1 is already in line 2"),
        ("accession\tlength\nPF1\tten\n", "{}: line 2: length 'ten' is not a whole number"),
        (
            "accession\tga_sequence\tga_domain\nPF1\t20\t-\n",
            "{}: line 2: ga cutoffs ['20', ''] are not two numbers",
        ),
        (
            "accession\tga_sequence\tga_domain\nPF1\t20\tnan\n",
            "{}: line 2: ga cutoffs ['20', 'nan'] are not two numbers",
        ),
    ],
)
def test_bad_tables(tmp_path, table, message):
    path = tmp_path / "table"
    path.write_text(table)
    with pytest.raises(PfamnetError) as caught:
        read_families(path)
    assert str(caught.value) == message.format(path)


def test_bad_files(tmp_path):
    table = gzip.compress(b"accession\tid\n" + b"".join(b"F%d\ta\n" % i for i in range(999)))
    bad = {
        "truncated": (table[:-20], "truncated gzip data after line"),
        "corrupt": (table[:20] + b"\xff" * 40 + table[60:], "corrupt gzip data"),
    }
    for name, (content, message) in bad.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(PfamnetError, match=f"{name}: .*{message}"):
            read_families(path)
    with pytest.raises(PfamnetError, match="nowhere: no such file or directory"):
        read_families(tmp_path / "nowhere")
    with pytest.raises(PfamnetError, match="is a directory"):
        read_families(tmp_path)
