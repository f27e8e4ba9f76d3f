"""The FASTA reader: what it reads, what it refuses, and that it streams."""

import gzip
import io
import os
import re
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhmmer.easel import Alphabet, SequenceFile

from pfamnet.errors import PfamnetError
from pfamnet.io.fasta import read_fasta
from pfamnet.profiles.search import to_digital
from pfamnet.records import Record, shown


def read(data, stdin=None):
    return list(read_fasta("-", stdin or io.BytesIO(data)))


def refusal(data):
    with pytest.raises(PfamnetError) as error:
        read(data)
    return str(error.value)


class Trickle(io.RawIOBase):
    """A pipe that hands over a few bytes at a time."""

    def __init__(self, data, size):
        self.data = io.BytesIO(data)
        self.size = size

    def readable(self):
        return True

    def read(self, size=-1):
        return self.data.read(self.size)


# What hmmscan 3.4 makes of each, checked with the program.
READS = {
    "plain": (b">a what it is\nMKV\nLAT\n", [("a", "what it is", "MKVLAT")]),
    "CRLF": (b">a b\r\nMKV\r\n>c\r\nL\r\n", [("a", "b", "MKV"), ("c", "", "L")]),
    "CR": (b">a b\rMKV\r>c\rL\r", [("a", "b", "MKV"), ("c", "", "L")]),
    "lower case": (b">a\nmkvx\n", [("a", "", "MKVX")]),
    "stop signs": (b">a\nMK*V*\n", [("a", "", "MK*V*")]),
    "rare letters": (b">a\nBZXJUO\n", [("a", "", "BZXJUO")]),
    "other gap signs": (b">a\nM.K_V~L\n", [("a", "", "M.K_V~L")]),
    "blank lines": (b"\n \n>a\n\nMK\n\nV\n\n\n>b\nL\n\n", [("a", "", "MKV"), ("b", "", "L")]),
    "blanks inside": (b">a\n MK \tV\n", [("a", "", "MKV")]),
    "empty": (b">a\n>b\nL\n>c d\n", [("a", "", ""), ("b", "", "L"), ("c", "d", "")]),
    "header at the end": (b">a\nM\n>b", [("a", "", "M"), ("b", "", "")]),
    "duplicates": (b">a\nM\n>a\nL", [("a", "", "M"), ("a", "", "L")]),
    "long name": (b">" + b"n" * 1000 + b"\nM", [("n" * 1000, "", "M")]),
    "tabs": (b">a\tx\ty  z \nM\n", [("a", "x\ty  z ", "M")]),
    "blank before name": (b"> a  b\nM\n", [("a", "b", "M")]),
    "UTF-8": (">é protéine\nM\n".encode(), [("é", "protéine", "M")]),
    "not UTF-8": (b">a prot\xe9ine\nM\n", [("a", "prot\udce9ine", "M")]),
    "no line end": (b">a\nMKV", [("a", "", "MKV")]),
    "'>' in a header": (b">a >b\nMKV", [("a", ">b", "MKV")]),
    "'>' in a line": (b">a\nMK >b c\nV", [("a", "", "MK"), ("b", "c", "V")]),
    "merged entries": (b">a b c\x01d e\nM\n", [("a", "b c", "M")]),
    "NUL in a header": (b">a b\x00c\nM\n", [("a", "b", "M")]),
    "other blanks in a header": (b">a\x0bb c\nM\n", [("a", "\x0bb c", "M")]),
    "blank lines alone": (b"\n\n  \n", []),
}


@pytest.mark.parametrize("case", READS)
def test_reads(case):
    data, expected = READS[case]
    expected = [Record(*values, number) for number, values in enumerate(expected, 1)]
    assert read(data) == expected
    assert read(b"", Trickle(data, 1)) == expected
    assert read(gzip.compress(data)) == expected
    assert read(b"", Trickle(gzip.compress(data), 3)) == expected


REFUSED = {
    b"": "-: empty file",
    gzip.compress(b""): "-: empty file",
    b">a\nMKV\n>name x\nMK\nVL1A": "-: record 2 'name': illegal character '1' at position 5",
    b">a\n-MKV": "-: record 1 'a': illegal character '-' at position 1",
    b">a\nM K\n\x0bV": r"-: record 1 'a': illegal character '\x0b' at position 3",
    b">a\nM\x00": r"-: record 1 'a': illegal character '\x00' at position 2",
    ">a\nMé".encode(): r"-: record 1 'a': illegal character '\xc3' at position 2",
    b">a\nM'": "-: record 1 'a': illegal character \"'\" at position 2",
    b">\nMKV": "-: record 1: no name after '>'",
    b">a\nM\n>  \nMKV": "-: record 2: no name after '>'",
    b"\n\n\x01hello\n>a\nM": r"-: line 3: not FASTA: '>' expected, '\x01' found",
    b"hello": "-: line 1: not FASTA: '>' expected, 'h' found; a sequence needs a line '>name' before it",
    b"\x89PNG\r\n\x1a\n": r"-: line 1: not FASTA: '>' expected, '\x89' found",
    b">" + b"x" * (1 << 21): "-: record 1: a name of more than 1,048,576 bytes",
    gzip.compress(b">a\nMKV\n")[:-3]: "-: record 1 'a': truncated gzip data after 3 residues",
    (gzip.compress(b">a\nMKV\n") + gzip.compress(b">b c\nAC\n"))[
        :-2
    ]: "-: record 2 'b': truncated gzip data after 2 residues",
    gzip.compress(b">a\nMKV\n>b", 0)[:-8]: "-: record 2: truncated gzip data after 0 residues",
    gzip.compress(b">a\nMKV\n")[:2]: "-: truncated gzip data",
    gzip.compress(b">a\nMKV\n")[:-1] + b"\x01": "-: corrupt gzip data",
}


@pytest.mark.parametrize("data", REFUSED, ids=lambda data: REFUSED[data][:40])
def test_refuses(data):
    assert refusal(data) == REFUSED[data]


def test_refuses_files(tmp_path):
    directory, missing = tmp_path / "dir", tmp_path / "missing"
    directory.mkdir()
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    for path, reason in (
        (directory, "is a directory"),
        (missing, "no such file or directory"),
        (empty, "empty file"),
    ):
        with pytest.raises(PfamnetError, match=f"^{re.escape(str(path))}: {reason}$"):
            list(read_fasta(path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_refuses_an_unreadable_file(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b">a\nM")
    path.chmod(0)
    with pytest.raises(PfamnetError, match="secret: permission denied$"):
        list(read_fasta(path))


def test_a_read_that_fails_is_told():
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(PfamnetError, match="^-: input/output error$"):
        read(b"", Broken())


def test_records_before_a_bad_one_come_out():
    records = read_fasta("-", io.BytesIO(b">a\nM\n>b\nL\n>c\n1\n"))
    assert [next(records).name, next(records).name] == ["a", "b"]
    with pytest.raises(PfamnetError, match="record 3 'c'"):
        next(records)


def test_files_gzip_of_several_members_and_bgzip(tmp_path):
    parts = [b">a one\nMK", b"V\n>b\n", b"", b"LAT\n"]
    expected = [Record("a", "one", "MKV", 1), Record("b", "", "LAT", 2)]
    members = b"".join(map(gzip.compress, parts))
    for name, data in (
        ("plain", b"".join(parts)),
        ("members.gz", members),
        ("padded", members + b"\0" * 99),
        ("bgzip.gz", b"".join(map(bgzf_block, [*parts, b""]))),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        assert list(read_fasta(path)) == list(read_fasta(str(path))) == expected
        assert read(data) == read(b"", Trickle(data, 1)) == expected


def bgzf_block(data):
    """A gzip member with bgzip's extra field (SAM specification, 4.1)."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    size = len(packed) + 25
    head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + size.to_bytes(2, "little")
    return head + packed + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")


def test_byte_order_mark():
    assert read(b"\xef\xbb\xbf>a\nM\n") == [Record("a", "", "M", 1)]


def test_a_record_comes_as_soon_as_the_next_begins():
    reader, writer = os.pipe()
    with open(reader, "rb") as stdin, open(writer, "wb", buffering=0) as out:
        records = read_fasta("-", stdin)
        out.write(b">a\nMKV\n>b\n")
        assert next(records).sequence == "MKV"
        out.write(b"LAT\n>c\n")
        assert next(records).sequence == "LAT"


def test_memory_does_not_grow_with_the_file():
    class Endless(io.RawIOBase):
        left = 30

        def read(self, size=-1):
            self.left -= 1
            return (b">name\n" + b"MKVLAT" * 200 + b"\n") * 800 if self.left >= 0 else b""

    tracemalloc.start()
    assert sum(1 for _ in read_fasta("-", Endless())) == 30 * 800
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6


def test_a_gzip_bomb_stays_small():
    data = gzip.compress(b">a\n" + b"\n" * 50_000_000 + b"M", 1)
    tracemalloc.start()
    assert read(data)[0].sequence == "M"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6


def test_a_long_sequence():
    sequence = "MKVLATDE" * 40_000
    data = ">a\n" + "\n".join(sequence[i : i + 60] for i in range(0, len(sequence), 60))
    assert read(data.encode()) == [Record("a", "", sequence, 1)]
    assert refusal(data.encode() + b"\n9") == ("-: record 1 'a': illegal character '9' at position 320001")


def test_names_in_messages_are_one_printable_line():
    assert shown("a\x1b[31m\udcff\u2028é") == r"a\x1b[31m\udcff\u2028é"
    assert shown("n" * 1000) == "n" * 60 + "..."
    message = refusal(b">" + b"n" * 1000 + b"\n1")
    assert len(message) < 150 and "\n" not in message


PIECES = [
    b">",
    b">a",
    b">b c",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b" ",
    b"\t",
    b"ACDE",
    b"acdefy",
    b"*",
    b"BZXJUO",
    b"-",
    b".",
    b"_",
    b"~",
    b"1",
    b"\x00",
    b"\x01",
    b"\x0b",
    "é".encode(),
    b"x y",
    b"\n>",
    b"\n>n d e\n",
    b"MKV\n",
]
FASTALIKE = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join)


@given(FASTALIKE)
@settings(max_examples=500, deadline=None)
def test_reads_what_easel_reads(data):
    """hmmscan's own reader, through pyhmmer, on FASTA with and without flaws."""
    amino = Alphabet.amino()
    theirs, refused = [], False
    try:
        with SequenceFile(io.BytesIO(data), format="fasta", digital=True, alphabet=amino) as file:
            for s in file:
                theirs.append((s.name, s.description or "", bytes(s.sequence)))
    except Exception:
        refused = True
    # A name that a NUL makes empty is read by Easel; in a table it would be
    # no name at all.
    if not refused and not any(name == "" for name, _, _ in theirs):
        ours = [(r.name, r.description, bytes(to_digital(r.sequence).sequence)) for r in read(data)]
        assert ours == theirs
    else:
        refusal(data)


@given(
    st.one_of(FASTALIKE, st.binary(max_size=200), st.binary(max_size=200).map(lambda b: b">" + b)),
    st.integers(1, 50),
    st.booleans(),
)
@settings(max_examples=500, deadline=None)
def test_records_or_one_line_and_the_same_in_any_pieces(data, size, packed):
    if packed:
        data = gzip.compress(data)

    def outcome(stdin):
        try:
            return read(b"", stdin)
        except PfamnetError as error:
            assert str(error).startswith("-: ") and len(str(error).splitlines()) == 1
            return str(error)

    assert outcome(io.BytesIO(data)) == outcome(Trickle(data, size))


@given(st.binary(min_size=1, max_size=40), st.integers(0, 10**6), st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_damaged_gzip(tail, place, value):
    data = bytearray(gzip.compress(b">a\nMKV\n") + gzip.compress(b">b\nLAT\n"))
    data[place % len(data)] = value
    try:
        read(bytes(data[: place % 97 + 1]))
        read(bytes(data) + tail)
    except PfamnetError as error:
        assert len(str(error).splitlines()) == 1


NAMES = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1)
RESIDUES = st.text("ACDEFGHIKLMNPQRSTVWYBZXJUO*._~")


@given(st.lists(st.tuples(NAMES, RESIDUES)), st.integers(1, 80), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=300, deadline=None)
def test_round_trip(entries, width, end):
    lines = []
    for name, residues in entries:
        lines += [f">{name} {name}"]
        lines += [residues[i : i + width] for i in range(0, len(residues), width)]
    data = "\n".join(lines).replace("\n", end).encode() + b"\n"
    assert read(data) == [
        Record(name, name, residues, number) for number, (name, residues) in enumerate(entries, 1)
    ]
