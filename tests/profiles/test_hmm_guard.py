"""Profiles at which HMMER would end the process are refused first."""

import gzip
import io
import sys

import golden
import pytest

from pfamnet.errors import PfamnetError
from pfamnet.profiles.files import read_hmms, write_profiles
from pfamnet.profiles.hmm_guard import WatchedStream


def stream_of(data):
    return io.BufferedReader(io.BytesIO(data))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The bytes of three profiles and where each begins."""
    path = tmp_path_factory.mktemp("h3m") / "library"
    offsets = write_profiles(str(path), golden.hmms()[:3])
    return path.read_bytes(), offsets


@pytest.mark.parametrize("size", (1, 7, 1000, 1 << 20))
def test_sound_profiles_pass(library, size):
    data, _ = library
    watched = WatchedStream(io.BufferedReader(io.BytesIO(data)))
    parts, buffer = [], bytearray(size)
    while count := watched.readinto(buffer):
        parts.append(bytes(buffer[:count]))
    assert b"".join(parts) == data and watched.failure is None


@pytest.mark.parametrize("which", (0, 1, 2))
@pytest.mark.parametrize("packed", (bytes, gzip.compress))
def test_no_alphabet(library, which, packed, tmp_path):
    data, offsets = library
    path = tmp_path / "damaged"
    for place, value in ((12, b"\x00\x00\x00\x00"), (12, b"\x07\x00\x00\x00"), (8, b"\xff\xff\xff\xff")):
        at = offsets[which] + place
        path.write_bytes(packed(data[:at] + value + data[at + 4 :]))
        names = []
        with pytest.raises(PfamnetError, match=f"profile {which + 1}: corrupt: invalid alphabet"):
            for hmm in read_hmms(str(path)):
                names.append(hmm.name)
        assert len(names) == which


def test_damage_elsewhere_is_hmmers_to_find(library):
    data, offsets = library
    for at in range(0, offsets[1], 97):
        damaged = data[:at] + b"\x55" + data[at + 1 :]
        watched = WatchedStream(stream_of(damaged))
        read = io.BufferedReader(watched).read()
        assert damaged.startswith(read) and (read == damaged or watched.failure is not None)


@pytest.fixture(scope="module")
def text():
    out = io.BytesIO()
    for hmm in golden.hmms()[:3]:
        hmm.write(out)
    return out.getvalue()


@pytest.mark.parametrize("size", (1, 7, 1000, 1 << 20))
@pytest.mark.parametrize("end", (b"\n", b"\r\n"))
def test_sound_text_passes(text, size, end):
    data = text.replace(b"\n", end)
    watched = WatchedStream(stream_of(data))
    parts, buffer = [], bytearray(size)
    while count := watched.readinto(buffer):
        parts.append(bytes(buffer[:count]))
    assert b"".join(parts) == data and watched.failure is None


@pytest.mark.parametrize("line", (b"ALPH", b"LENG"))
@pytest.mark.parametrize("which", (0, 1, 2))
def test_no_line_for_the_alphabet(text, line, which, tmp_path):
    parts = text.split(b"\n" + line)
    path = tmp_path / "damaged"
    path.write_bytes(
        (b"\n" + line).join(parts[: which + 1]) + b"\nXXXX" + (b"\n" + line).join(parts[which + 1 :])
    )
    names = []
    with pytest.raises(PfamnetError, match=f"profile {which + 1}: corrupt: no LENG or ALPH line"):
        for hmm in read_hmms(str(path)):
            names.append(hmm.name)
    assert len(names) == which


def named(data, place, value):
    """A binary profile whose text at `place` (its length comes first) is another."""
    size = int.from_bytes(data[place : place + 4], sys.byteorder)
    return data[:place] + len(value).to_bytes(4, sys.byteorder) + value + data[place + 4 + size :]


@pytest.mark.parametrize(
    "name, said", ((b"", "invalid string length"), (b"\0", "invalid string length"), (b"abc", "without end"))
)
def test_a_name_that_hmmer_could_not_bear(library, name, said, tmp_path):
    data, offsets = library
    hmm = golden.hmms()[0]
    place = data.index((len(hmm.name) + 1).to_bytes(4, sys.byteorder) + hmm.name.encode() + b"\0")
    path = tmp_path / "damaged"
    path.write_bytes(named(data, place, name))
    with pytest.raises(PfamnetError, match=f"profile 1: corrupt: .*{said}"):
        list(read_hmms(path))


def test_a_line_without_end(library, tmp_path):
    data, _ = library
    hmm = golden.hmms()[0]
    end = data.index(hmm.consensus.encode()) + hmm.M
    path = tmp_path / "damaged"
    path.write_bytes(data[:end] + b"x" + data[end + 1 :])
    with pytest.raises(PfamnetError, match="profile 1: corrupt: a string without end"):
        list(read_hmms(path))


@pytest.mark.parametrize("field", (b"NAME", b"STATS", b"HMMER3/f"))
def test_text_without_a_line_of_its_head(text, field, tmp_path):
    """HMMER refuses it, or searches it; the process lives."""
    path = tmp_path / "damaged"
    path.write_bytes(b"".join(line for line in text.splitlines(True) if not line.startswith(field)))
    try:
        for hmm in read_hmms(path):
            assert hmm.name
    except PfamnetError as error:
        assert "\n" not in str(error)
