"""Packed profiles are the same to the last bit, and damaged ones are refused."""

import io
import zlib
from decimal import Decimal

import golden
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyhmmer.easel import Alphabet, Randomness
from pyhmmer.plan7 import HMM, HMMFile

from pfamnet.errors import PfamnetError
from pfamnet.profiles.files import read_hmms
from pfamnet.profiles.packing import PACKED, _powers, pack, unpack
from pfamnet.profiles.store import ProfileFile, ProfileStore

AMINO = Alphabet.amino()


def h3m(hmm):
    data = io.BytesIO()
    hmm.write(data, binary=True)
    return data.getvalue()


def published(hmm):
    """The profile as HMMER reads it from an ASCII file."""
    data = io.BytesIO()
    hmm.write(data, binary=False)
    with HMMFile(io.BytesIO(data.getvalue())) as file:
        return file.read()


@pytest.fixture(scope="module")
def packed():
    return pack(h3m(golden.hmms()[0]))


def test_real_profiles_take_less_than_a_third():
    sizes = []
    for hmm in golden.hmms():
        small = pack(h3m(hmm))
        assert small.startswith(PACKED) and unpack([small]) == [h3m(hmm)]
        sizes.append((len(small), len(h3m(hmm))))
    small, large = np.sum(sizes, axis=0)
    assert small < large / 3


def test_many_at_once_are_as_one_by_one():
    small = [pack(h3m(hmm)) for hmm in golden.hmms()]
    assert unpack([]) == []
    assert unpack(small) == [data for one in small for data in unpack([one])]


texts = st.none() | st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)


@given(
    states=st.integers(1, 60),
    seed=st.integers(0, 2**32 - 1),
    name=st.text("abc_1", min_size=1, max_size=9),
    accession=texts,
    description=texts,
    lines=st.sets(st.sampled_from(["consensus", "composition", "structure", "reference", "mask", "access"])),
)
def test_any_profile_comes_back(states, seed, name, accession, description, lines):
    hmm = HMM.sample(AMINO, states, Randomness(seed))
    hmm.name, hmm.accession, hmm.description = name, accession, description
    if "consensus" in lines:
        hmm.set_consensus()
    if "composition" in lines:
        hmm.set_composition()
    if "structure" in lines:
        hmm.consensus_structure = "H" * states
    if "access" in lines:
        hmm.consensus_accessibility = "9" * states
    if "reference" in lines:
        hmm.reference = "x" * states
    if "mask" in lines:
        hmm.model_mask = "." * states
    if seed % 3 == 0:
        hmm.cutoffs.gathering = (20.125, 19.3)
    assert unpack_any(pack(h3m(hmm))) == h3m(hmm)
    hmm = published(hmm)
    assert pack(h3m(hmm)).startswith(PACKED) and unpack([pack(h3m(hmm))]) == [h3m(hmm)]


def unpack_any(data):
    return unpack([data])[0] if data.startswith(PACKED) else zlib.decompress(data, wbits=31)


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from([1, -1, 1 << 22])), max_size=9))
def test_probabilities_that_are_no_whole_numbers_are_exceptions(changes):
    data = bytearray(h3m(golden.hmms()[0]))
    words = np.frombuffer(data, "<i4", 401, 16).copy()
    for place, change in changes:
        words[place] += change
    data[16 : 16 + words.nbytes] = words.tobytes()
    small = pack(bytes(data))
    assert small.startswith(PACKED) and unpack([small]) == [data]


def test_a_consensus_of_another_kind_is_kept():
    hmm = golden.hmms()[0].copy()
    hmm.consensus = "x" * hmm.M
    assert pack(h3m(hmm)).startswith(PACKED) and unpack([pack(h3m(hmm))]) == [h3m(hmm)]


def test_what_is_no_profile_of_proteins_is_only_compressed():
    dna = h3m(HMM.sample(Alphabet.dna(), 20, Randomness(1)))
    for data in (dna, b"", b"words" * 99, h3m(golden.hmms()[0])[:-9]):
        assert unpack_any(pack(data)) == data


def test_the_exponential_is_that_of_no_machine():
    for powers, unit in zip(_powers(), (1, 4096)):
        for index in (0, 1, 2, 77, 2048, 4095):
            assert powers[index] == float((Decimal(-index * unit) / 100_000).exp())


@given(st.data())
def test_damage_is_refused_or_makes_a_profile(packed, data):
    end = data.draw(st.just(len(packed)) | st.integers(0, len(packed)))
    damaged = bytearray(packed[:end])
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, min(len(damaged), 60) - 1))] = data.draw(st.integers(0, 255))
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert unpack([packed, bytes(damaged)])
    except PfamnetError as error:
        assert str(error) == "damaged: not a packed profile"


@pytest.mark.parametrize("filler", [b"", bytes(1 << 26), b"\xff" * (1 << 26)])
@pytest.mark.parametrize("states", [0, 1, 70_000, 2**32 - 1])
def test_sizes_that_are_only_claimed_are_refused(tmp_path, states, filler):
    deflate = zlib.compressobj(9, wbits=-15)
    body = deflate.compress(filler) + deflate.flush()
    head = PACKED + np.array([0, states, 2**32 - 1, 5, 5], "<u4").tobytes()
    path = tmp_path / "profiles"
    path.write_bytes(head + bytes(38 * min(states, 70_000)) + body)
    with pytest.raises(PfamnetError, match="profiles: profile 1: damaged: not a packed profile$"):
        ProfileStore(ProfileFile(path, [0])).hmm(0)


def test_an_exported_profile_packs_to_the_same_bytes(tmp_path):
    hmm = golden.hmms()[1]
    with open(tmp_path / "x.hmm", "wb") as file:
        hmm.write(file)
    (again,) = read_hmms(tmp_path / "x.hmm")
    assert pack(h3m(again)) == pack(h3m(hmm))
