"""Each layout of train set, and what is wrong with it."""

import csv
import gzip
import io

import golden
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import write

from pfamnet.errors import PfamnetError
from pfamnet.output.tsv import TsvWriter
from pfamnet.trainset.domains import read_domains
from pfamnet.trainset.entries import FamilyBook
from pfamnet.trainset.readers import read_input

HEADER = "family_id,sequence_name,family_accession,aligned_sequence,sequence"


def read(path, table=None):
    return read_input(path, FamilyBook(), table, [])


def refusal(path, table=None):
    with pytest.raises(PfamnetError) as caught:
        read(path, table)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- seed splits ---------------------------------------------------------------


def split(path, **folds):
    """Write a seed split: fold=[shard, shard, ...], each a list of CSV rows."""
    for fold, shards in folds.items():
        for i, rows in enumerate(shards):
            name = f"data-{i:05}-of-{len(shards):05}"
            write(path / fold / name, "\n".join([HEADER, *rows]) + "\n")
    return path


def test_split(tmp_path):
    path = split(
        tmp_path,
        train=[["KH_1,a/1-4,PF00013.29,AC.de-,ACDE"], ["KH_1,b/1-3,PF00013.29,,acd*"]],
        dev=[["KH_1,c/1-3,PF00013.29,,BZXJUO"]],
    )
    # whoever opens the test fold stumbles
    write(tmp_path / "test" / "data-00000-of-00001", "rubbish")
    a, b, c = read(path)
    assert (a.name, a.sequence, a.aligned, a.fold) == ("a/1-4", "ACDE", "AC.de-", "train")
    assert (a.labels, a.whole) == ([(0, 4, "PF00013")], False)
    assert a.where == f"{tmp_path}/train/data-00000-of-00002: line 2"
    assert (b.sequence, b.aligned, b.fold) == ("ACD", "", "train")
    assert (c.sequence, c.fold) == ("BZXJUO", "dev")


def test_split_without_dev_and_single_shard(tmp_path):
    path = split(tmp_path, train=[["KH_1,a/1-4,PF00013.29,,ACDE"]])
    for source in (path, path / "train" / "data-00000-of-00001"):
        assert [entry.fold for entry in read(source)] == [""]


def test_missing_shards_are_told(tmp_path):
    path = split(tmp_path, train=[["KH_1,a/1-4,PF00013.29,,ACDE"]] * 3)
    (path / "train" / "data-00001-of-00003").unlink()
    warnings = []
    assert len(read_input(path, FamilyBook(), None, warnings)) == 2
    assert warnings == [f"{path}/train: 2 shards of 3"]


def test_columns_in_any_order_and_gzip(tmp_path):
    path = tmp_path / "shard"
    rows = "sequence,family_accession,sequence_name\r\nACDE,PF1.2,a\r\n"
    path.write_bytes(gzip.compress(rows.encode()))
    [entry] = read(path)
    assert (entry.name, entry.sequence, entry.labels) == ("a", "ACDE", [(0, 4, "PF1")])


text = st.text(st.characters(min_codepoint=32, max_codepoint=383), max_size=9).map(str.strip)
some_text = text.filter(lambda text: text and text.lower() != "nan")  # what pandas writes for nothing
word = some_text.filter(lambda text: len(text.split()) == 1)
row = st.tuples(text, some_text, word, st.just(""), st.text("ACDEFGHI", min_size=1))


@settings(deadline=None)
@given(st.lists(row))
def test_csv_round_trip(tmp_path_factory, rows):
    file = io.StringIO()
    csv.writer(file).writerows([HEADER.split(","), *rows])
    path = tmp_path_factory.getbasetemp() / "round.csv"
    path.write_text(file.getvalue(), encoding="utf-8", newline="")
    entries = read(path)
    assert [(e.name, e.sequence) for e in entries] == [(row[1], row[4]) for row in rows]


@pytest.mark.parametrize(
    "row, message",
    [
        ("KH_1,a,PF1,ACDE", "line 3: 4 fields, the header has 5"),
        ("KH_1,,PF1,,ACDE", "line 3: sequence name missing"),
        ("KH_1,a,,,ACDE", "line 3 'a': family accession missing"),
        ("KH_1,a,PF 1,,ACDE", "line 3 'a': accession 'PF 1' is not one word"),
        ("KH_1,a,PF1,,", "line 3 'a': no residues"),
        ("nan,nan,nan,nan,nan", "line 3 'nan': 'nan' is no name and no accession"),
        ("KH_1,a,NaN,,ACDE", "line 3 'a': 'nan' is no name and no accession"),
        ("KH_1,a,PF1,,AC1E", "line 3 'a': illegal character '1' at position 3"),
        ("KH_1,a,PF1,,AC*E", "line 3 'a': illegal character '*' at position 3"),
        ("KH_1,a,PF1,,AC-E", "line 3 'a': illegal character '-' at position 3"),
        ("KH_1,a,PF1,,ACÄE", "line 3 'a': illegal character 'Ä' at position 3"),
        ("KH_1,a,PF1,A.C3,ACE", "line 3 'a': aligned sequence: illegal character '3' at position 4"),
        ("KH_1,a,PF1,A.CD,ACE", "line 3 'a': the aligned sequence is not the sequence with gaps"),
    ],
)
def test_bad_rows(tmp_path, row, message):
    path = write(tmp_path / "shard", f"{HEADER}\nKH_1,z,PF1,,ACDE\n{row}\n")
    assert refusal(path) == f"{path}: {message}"


def test_missing_column(tmp_path):
    path = write(tmp_path / "shard", "family_id,sequence_name,sequence\nKH_1,a,ACD\n")
    assert refusal(path) == f"{path}: line 1: no column named 'family_accession' in the header"


def test_empty_folds(tmp_path):
    rows = ["KH_1,a/1-4,PF00013.29,,ACDE"]
    train = split(tmp_path / "train", train=[[]], dev=[rows])
    assert refusal(train) == f"{train}/train: an empty fold: its shards have no rows"
    dev = split(tmp_path / "dev", train=[rows], dev=[[]])
    assert refusal(dev) == f"{dev}/dev: an empty fold: its shards have no rows"
    (tmp_path / "bare/train").mkdir(parents=True)
    assert refusal(tmp_path / "bare").endswith("/train: no shards named data-NNNNN-of-NNNNN")


# --- files of every kind -------------------------------------------------------


def test_unreadable_inputs(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path}: not a seed split: no train/ in this directory"
    assert refusal(tmp_path / "none") == f"{tmp_path}/none: no such file or directory"
    empty = write(tmp_path / "empty", "\n")
    assert refusal(empty) == f"{empty}: empty file"
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(b""))
    assert refusal(packed) == f"{packed}: empty file"
    other = write(tmp_path / "other", "HMMER3/f [3.4 | Aug 2023]\n")
    message = "neither FASTA nor Stockholm nor a table of seed sequences"
    assert refusal(other) == f"{other}: {message}"


@pytest.mark.parametrize(
    "text",
    [
        ">a PF1\nACDEFGHIKLMN\n" * 50,
        "# STOCKHOLM 1.0\n#=GF AC PF1\nx ACDEFGHIKLMN\n//\n",
        f"{HEADER}\n" + "KH_1,a,PF1,,ACDEFGHIKLMN\n" * 50,
    ],
)
def test_truncated_gzip(tmp_path, text):
    path = tmp_path / "truncated"
    path.write_bytes(gzip.compress(text.encode())[:-9])
    message = refusal(path)
    assert message.startswith(f"{path}: ") and "truncated gzip data" in message


# --- Stockholm -----------------------------------------------------------------


def test_stockholm(tmp_path):
    path = write(
        tmp_path / "seeds",
        "# STOCKHOLM 1.0\n#=GF ID KH_1\n#=GF AC PF00013.29\n#=GF GA 25.0 20.0;\n"
        "a/1-4 AC.dE\nb/1-3 A-.DE\n//\n",
    )
    a, b = read(path)
    assert (a.name, a.sequence, a.aligned, a.fold) == ("a/1-4", "ACDE", "AC.dE", "")
    assert b.labels == [(0, 3, "PF00013")]
    assert b.where == f"{path}: line 6"


@pytest.mark.parametrize(
    "text, message",
    [
        ("#=GF DE KH\nx AC\n//\n", "alignment 1: accession missing (neither #=GF AC nor #=GF ID)"),
        ("#=GF AC PF1\nx A5C\n//\n", "line 3 'x': illegal character '5' at position 2"),
        (
            "#=GF AC PF1.1\nx AC\n//\n# STOCKHOLM 1.0\n#=GF AC PF1.2\ny AC\n//\n",
            "alignment 2 'PF1.2': alignment 1 is of PF1 too",
        ),
    ],
)
def test_bad_stockholm(tmp_path, text, message):
    path = write(tmp_path / "seeds", "# STOCKHOLM 1.0\n" + text)
    assert refusal(path) == f"{path}: {message}"


# --- FASTA ---------------------------------------------------------------------


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_labelled_fasta(tmp_path, pack):
    path = tmp_path / "labelled"
    path.write_bytes(pack(b">a/1-4 PF00013.29\nAC\nde\n>b\tPF2\nACD*\n"))
    a, b = read(path)
    assert (a.name, a.sequence, a.labels) == ("a/1-4", "ACDE", [(0, 4, "PF00013")])
    assert (b.sequence, b.where) == ("ACD", f"{path}: record 2")


@pytest.mark.parametrize(
    "record, message",
    [
        (">a\nACD\n", "record 2 'a': family accession missing after the name"),
        (">a PF00001.1 PF00002.1\nACD\n", "record 2 'a': two accessions, PF00001.1 and PF00002.1"),
        (
            ">a Probable ligase OS=Homo sapiens OX=9606\nACD\n",
            "record 2 'a': 'Probable ligase OS=Homo sapiens OX=9606' describes a protein, not its family; "
            "a table of its domains is missing",
        ),
        (
            ">a ligase [Homo sapiens]\nACD\n",
            "record 2 'a': 'ligase [Homo sapiens]' describes a protein, not its family; "
            "a table of its domains is missing",
        ),
        (">a PF1\n\n", "record 2 'a': no residues"),
        (">a PF1\nA.C\n", "record 2 'a': illegal character '.' at position 2"),
        (">a PF1\nA*C\n", "record 2 'a': illegal character '*' at position 2"),
        (">a PF1\nAC9\n", "record 2 'a': illegal character '9' at position 3"),
    ],
)
def test_bad_labelled_fasta(tmp_path, record, message):
    path = write(tmp_path / "labelled", f">z PF1\nACD\n{record}")
    assert refusal(path) == f"{path}: {message}"


def test_proteins(tmp_path):
    table = write(
        tmp_path / "domains",
        "pfam_acc\tprotein\tend\tbits\tstart\tpfam_id\n"
        "PF2.1\tp\t8\t9.1\t5\ttwo\nPF1.3\tp\t4\t9.1\t1\tone\nPF1.3\tq\t1\t9.1\t1\tone\n"
        "PF2.1\tp\t8\t9.1\t5\ttwo\nPF2.1\tr\t1\t9.1\t1\ttwo\n",
    )
    table = read_domains(table)
    path = write(tmp_path / "proteins", ">p Heat shock protein\nACDEFGHI*\n>q x\nACD\n>s\nAC\n")
    p, q, s = read(path, table)
    assert (p.whole, p.sequence) == (True, "ACDEFGHI")
    assert p.labels == [(0, 4, "PF1"), (4, 8, "PF2")]
    assert q.labels == [(0, 1, "PF1")]
    assert s.labels == []
    assert table.unused() == ["r"]


def test_the_table_of_a_scan_is_a_table_of_domains(tmp_path):
    path, expected = tmp_path / "hits.tsv", {}
    with TsvWriter(str(path)) as writer:
        for record, hits in zip(golden.records(), golden.hits("cut_ga"), strict=True):
            writer.write(record, hits)
            for hit in hits:
                for domain in hit.reported_domains if hit.reported else ():
                    row = domain.ali_from, domain.ali_to, hit.target_accession, hit.target_name
                    expected.setdefault(record.name, []).append((*row, round(domain.score, 1)))
    found = read_domains(path, rivals=True).domains
    assert {name: [(*row[:4], row[5]) for row in rows] for name, rows in found.items()} == expected != {}


def test_labelled_fasta_beside_a_table(tmp_path):
    domains = "protein\tstart\tend\taccession\na\t1\t2\tPF1\n"
    table = read_domains(write(tmp_path / "domains", domains))
    labelled = write(tmp_path / "labelled", ">a PF1\nACD\n>b PF2\nACD\n")
    assert [entry.whole for entry in read(labelled, table)] == [False, False]
    mixed = write(tmp_path / "mixed", ">c PF1\nACD\n>b\nACD\n")
    assert refusal(mixed, table) == (f"{mixed}: none of its records is in {tmp_path}/domains or has a label")


@pytest.mark.parametrize("start, end", [(0, 2), (3, 2), (2, 4), (9, 9)])
def test_domain_outside_its_protein(tmp_path, start, end):
    table = write(tmp_path / "t", f"protein\tstart\tend\taccession\np\t{start}\t{end}\tPF1\n")
    path = write(tmp_path / "proteins", ">p\nACD\n")
    assert refusal(path, read_domains(table)) == (
        f"{table}: line 2: domain {start}-{end} is not within the 3 residues of 'p'"
    )


def test_a_family_without_an_accession_is_known_by_its_name(tmp_path):
    """As in the table that a scan writes of profiles without ACC, such as KEGG orthologs."""
    table = "query_name\tali_from\tali_to\ttarget_accession\t#target_name\np\t1\t4\t-\tK00001\n"
    (domain,) = read_domains(write(tmp_path / "domains", table)).domains["p"]
    assert domain[:4] == (1, 4, "K00001", "K00001")


def test_tables_may_have_any_bytes(tmp_path):
    path = tmp_path / "hits.tsv"
    path.write_bytes(b"protein\tstart\tend\taccession\tdescription\np\xe9\t1\t4\tPF1\tSj\xf6gren\n")
    (tmp_path / "p.fa").write_bytes(b">p\xe9\nACDEF\n")
    (entry,) = read(tmp_path / "p.fa", read_domains(path))
    assert entry.labels == [(0, 4, "PF1")]
    (tmp_path / "data").write_bytes(f"{HEADER}\nKH_1,r\xe9,PF1.2,,ACD\n".encode("latin-1"))
    (entry,) = read(tmp_path / "data")
    assert entry.name == "r\udce9"


@pytest.mark.parametrize(
    "table, message",
    [
        ("", "empty file"),
        ("protein\tstart\tend\taccession\n", "no domains below the header line"),
        ("protein\tstart\tend\n", "line 1: no column named 'accession' in the header"),
        ("protein\tstart\tend\tpfam_acc\np\t1\t2\n", "line 2: 3 fields, the header has 4"),
        ("protein\tstart\tend\tpfam_acc\np\t1\tx\tPF1\n", "line 2: '1-x' is not start and end"),
        ("protein\tstart\tend\tpfam_acc\np\t-1\t2\tPF1\n", "line 2: '-1-2' is not start and end"),
        (
            f"protein\tstart\tend\tpfam_acc\np\t1\t{'9' * 5000}\tPF1\n",
            f"line 2: '1-{'9' * 60}...' is not start and end",
        ),
        ("protein\tstart\tend\tpfam_acc\np\t1\t2\t-\n", "line 2: accession missing"),
        ("protein\tstart\tend\tpfam_acc\n\t1\t2\tPF1\n", "line 2: protein missing"),
    ],
)
def test_bad_domain_tables(tmp_path, table, message):
    path = write(tmp_path / "domains", table)
    with pytest.raises(PfamnetError) as caught:
        read_domains(path)
    assert str(caught.value) == f"{path}: {message}"


# --- rubbish -------------------------------------------------------------------

TEMPLATES = [
    f'{HEADER}\nKH_1,a,PF1.2,A.CD,ACD\n"K",b,PF1.2,,ACD\n',
    "# STOCKHOLM 1.0\n#=GF AC PF1\n#=GF GA 2.0 1.0;\nx AC.D\ny ACDD\n\nx A\ny A\n//\n",
    ">a PF1.2\nACD\n>b PF2\nACD\n",
    ">p\nACDEF\n>q\nACDEF\n",
]
DOMAINS = "protein\tstart\tend\taccession\np\t1\t4\tPF1.3\nq\t2\t5\tPF2\n"
damage = st.tuples(st.integers(0, 150), st.integers(0, 3), st.binary(max_size=3))


def damaged(text, changes):
    content = text.encode()
    for place, length, piece in changes:
        content = content[:place] + piece + content[place + length :]
    return content


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(TEMPLATES), st.lists(damage, max_size=3), st.lists(damage, max_size=2))
def test_rubbish_is_read_or_refused(tmp_path_factory, text, changes, table_changes):
    path = tmp_path_factory.getbasetemp() / "rubbish"
    domains = tmp_path_factory.getbasetemp() / "rubbish_domains"
    path.write_bytes(damaged(text, changes))
    domains.write_bytes(damaged(DOMAINS, table_changes))
    try:
        table = read_domains(domains)
        entries = read(path, table)
    except PfamnetError as refused:
        assert "\n" not in str(refused)
        return
    assert all(entry.sequence.isalpha() and entry.sequence.isupper() for entry in entries)
    for entry in entries:
        assert all(0 <= start < end <= len(entry.sequence) for start, end, _ in entry.labels)


# --- what hmmbuild and people take ----------------------------------------------


def test_an_alignment_needs_no_accession_and_its_odd_rows_cost_nothing(tmp_path):
    path = write(tmp_path / "a.sto", "# STOCKHOLM 1.0\n#=GF ID KH 1\nx AC*D\ny ----\nz A*--\n//\n")
    warnings = []
    entries = read_input(path, FamilyBook(), None, warnings)
    assert [(e.name, e.sequence, e.aligned, e.labels) for e in entries] == [
        ("x", "ACD", "AC-D", [(0, 3, "KH_1")]),
        ("z", "A", "A---", [(0, 1, "KH_1")]),
    ]
    assert warnings == [
        f"rows with '*', taken as a gap: 2 ({path}: line 3 'x', {path}: line 5 'z')",
        f"rows of gaps alone dropped: 1 ({path}: line 4 'y')",
    ]


@pytest.mark.parametrize(
    "words, label",
    [
        ("PF00013.1 KH domain, of many words", ("PF00013.1", "")),
        ("PCBP1_HUMAN.2 PF00013.1;KH_1;", ("PF00013.1", "KH_1")),
        ("PF00013.1;KH_1;", ("PF00013.1", "KH_1")),
        ("mine", ("mine", "")),
    ],
)
def test_headers_of_labelled_fasta(tmp_path, words, label):
    path, book = write(tmp_path / "a.fa", f">a/1-3 {words}\nACD\n"), FamilyBook()
    [entry] = read_input(path, book, None, [])
    family = book.family(entry.labels[0][2], 1)
    assert (family.accession, family.name) == (label[0], label[1] or label[0])
