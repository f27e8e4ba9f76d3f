"""Compressed input: what is read, what is named, what follows it."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
import zlib

import pytest

from pfamnet.errors import PfamnetError
from pfamnet.families import read_families
from pfamnet.io import fasta
from pfamnet.io.sequences import read_sequences

TEXT = b">a first\nACDE\n>b\nFGHI\n"
PACK = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


class Pipe(io.RawIOBase):
    """Hands over a few bytes at a time."""

    def __init__(self, data, size):
        self.data, self.size = data, size

    def read(self, _=-1):
        part, self.data = self.data[: self.size], self.data[self.size :]
        return part


def outcome(data, size=None):
    """Names and sequences, warnings, and the refusal."""
    said, found = [], []
    stream = Pipe(data, size) if size else io.BytesIO(data)
    try:
        for record in read_sequences("-", stdin=stream, warn=said.append):
            found.append((record.name, record.sequence))
    except PfamnetError as error:
        return found, said, str(error)
    return found, said, None


BOTH = [("a", "ACDE"), ("b", "FGHI")]


@pytest.mark.parametrize("what", PACK)
@pytest.mark.parametrize("size", (None, 1, 7))
def test_members_padding_and_garbage(what, size):
    pack = PACK[what]
    two = pack(TEXT[:12]) + pack(TEXT[12:])
    assert outcome(two, size) == outcome(two + b"\0" * 9, size) == (BOTH, [], None)
    for garbage in (b"x", b"\0\0\n", b">c\nACDE\n" * 99):
        assert outcome(two + garbage, size) == (
            BOTH,
            [f"warning: -: ignored what follows the {what} data"],
            None,
        )


@pytest.mark.parametrize("what", PACK)
def test_truncated_and_damaged(what):
    text = b">a\n" + bytes(random.Random(1).choices(b"ACDEFGHIKL", k=3000))
    data = PACK[what](text)
    assert f"truncated {what} data" in outcome(data[:-9])[2]
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 0xFF
    assert f"corrupt {what} data" in outcome(bytes(damaged))[2]
    twice = outcome(PACK[what](TEXT) + data[:-9])
    assert twice[0] == BOTH and f"truncated {what} data" in twice[2]


def packed_in_archives():
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("x.fa", TEXT)
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x.fa"), io.BytesIO())
    return {
        "zip": zipped.getvalue(),
        "tar": tarred.getvalue(),
        "zstd": b"\x28\xb5\x2f\xfd\x24\x00\x01\x00\x00",
        "7z": b"7z\xbc\xaf\x27\x1c\x00",
        "lz4": b"\x04\x22\x4d\x18a",
    }


@pytest.mark.parametrize("what, data", packed_in_archives().items())
def test_what_is_not_read_is_named(what, data):
    for again in (data, gzip.compress(data)):
        assert outcome(again) == ([], [], f"-: {what} data, which are not read; unpack them first")


def test_tables_of_a_build_are_read_too(tmp_path, capfd):
    for what, pack in PACK.items():
        path = tmp_path / what
        path.write_bytes(pack(b"accession\tname\nPF1\tone\n") + b"?")
        assert [family.name for family in read_families(path)] == ["one"]
        assert capfd.readouterr().err == f"warning: {path}: ignored what follows the {what} data\n"


def test_an_xz_file_that_claims_gigabytes_of_memory():
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 4096}]
    data = bytearray(lzma.compress(TEXT, check=lzma.CHECK_NONE, filters=filters))
    place = data.index(b"\x21\x01\x00", 12) + 2  # LZMA2, one byte of properties: the size
    data[place] = 40  # 4 GiB
    header = 4 * (data[12] + 1)
    data[12 + header - 4 : 12 + header] = zlib.crc32(data[12 : 12 + header - 4]).to_bytes(4, "little")
    assert outcome(bytes(data))[2] == "-: corrupt xz data"


def test_blank_lines_before_the_first_record_are_not_kept():
    class Blank(io.RawIOBase):
        left = 64

        def read(self, size=-1):
            self.left -= 1
            return b"\n" * size if self.left > 0 else TEXT if self.left == 0 else b""

    stream = Blank()
    records = [record.name for record in read_sequences("-", stdin=stream)]
    assert records == ["a", "b"]
    assert outcome(b"\n" * 3_000_000 + b"x")[2].startswith("-: line 3000001: not FASTA")


def test_a_header_of_any_length():
    merged = "\x01".join(f"Q{i} a protein" for i in range(200_000)).encode()
    assert len(merged) > 2 << 20
    records = list(
        read_sequences("-", stdin=io.BytesIO(b">" + merged + b"\nACDE\n>" + b"n " + b"d" * (3 << 20)))
    )
    assert [(record.name, record.sequence) for record in records] == [("Q0", "ACDE"), ("n", "")]
    assert (records[0].description, len(records[1].description)) == ("a protein", (1 << 20) - 2)


def test_a_sequence_without_end(monkeypatch):
    class Endless(io.RawIOBase):
        def read(self, size=-1):
            return b"A" * size

    monkeypatch.setattr(fasta, "MOST_RESIDUES", 5_000_000)
    with pytest.raises(PfamnetError, match="record 1: no name|not FASTA"):
        list(read_sequences("-", stdin=Endless()))
    chunks = iter(lambda: b"A" * 1_000_000, None)
    with pytest.raises(PfamnetError, match="record 1 'a': more than 5,000,000 residues"):
        list(fasta.fasta_records((b">a\n" if i == 0 else chunk for i, chunk in enumerate(chunks)), "x"))
