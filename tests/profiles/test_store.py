"""Profiles of a file or in memory, and search profiles on loan: each to one thread at a time."""

import io
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import golden
import pytest
from golden import h3m
from pyhmmer.plan7 import HMMFile

from pfamnet.errors import PfamnetError
from pfamnet.profiles.files import write_profiles
from pfamnet.profiles.store import ProfileFile, ProfileStore, optimize


def search_bytes(profile):
    """The two parts that hmmpress stores of a search profile."""
    filters, rest = io.BytesIO(), io.BytesIO()
    profile.write(filters, rest)
    return filters.getvalue(), rest.getvalue()


@pytest.fixture(scope="module")
def hmms():
    return golden.hmms()[:4]


@pytest.fixture(params=[False, True])
def library(request, tmp_path, hmms):
    path = tmp_path / "profiles"
    return path, write_profiles(path, hmms, packed=request.param)


class Counted(list):
    """Profiles that count how often each is read."""

    def __init__(self):
        super().__init__(golden.hmms())
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return super().__getitem__(index)


def test_a_file_gives_each_profile_alone(library, hmms):
    store = ProfileStore(ProfileFile(*library))
    assert len(store) == len(hmms)
    for index in (3, 0, 2, 1):
        assert h3m(store.hmm(index)) == h3m(hmms[index])
        with store.borrowed([index]) as (profile,):
            assert search_bytes(profile) == search_bytes(optimize(hmms[index]))
    for index in (-1, len(hmms)):
        with pytest.raises(IndexError):
            store.hmm(index)


def test_nothing_but_the_profile_asked_for_is_read(tmp_path, hmms):
    path = tmp_path / "a.h3m"
    offsets = write_profiles(path, hmms)
    data = bytearray(path.read_bytes())
    data[offsets[1] : offsets[2]] = bytes(offsets[2] - offsets[1])
    path.write_bytes(data)
    profiles = ProfileFile(path, offsets)
    assert profiles[2].name == hmms[2].name
    with pytest.raises(PfamnetError, match="a.h3m: profile 2: "):
        profiles[1]


@pytest.mark.parametrize("offsets", [[], [5], [0, 0], [0, 10**9], [0, 500, 400]])
def test_offsets_that_do_not_fit_are_refused(tmp_path, hmms, offsets):
    path = tmp_path / "a.h3m"
    write_profiles(path, hmms)
    with pytest.raises(PfamnetError, match="a.h3m: the offsets"):
        ProfileStore(ProfileFile(path, offsets))


def test_a_missing_file_or_a_directory_is_refused(tmp_path):
    for path in (tmp_path / "nothing.hmm", tmp_path):
        with pytest.raises(PfamnetError, match=str(path)):
            ProfileStore(ProfileFile(path, [0]))


def test_a_profile_is_made_once_and_lent_again():
    hmms = Counted()
    store = ProfileStore(hmms)
    with store.borrowed([2]) as (first,):
        assert first.name == golden.hmms()[2].name
    with store.borrowed([2, 3]) as (again, other):
        assert again is first and other is not first
    assert hmms.read == [2, 3]


def test_what_is_lent_is_lent_to_no_other():
    store, same = ProfileStore(golden.hmms()), []
    with store.borrowed([1]) as (mine,):

        def borrow():
            with store.borrowed([1]) as (profile,):
                same.append(profile is mine)

        thread = threading.Thread(target=borrow)
        thread.start()
        thread.join()
    assert same == [False]


def test_threads_share_a_store_but_no_search_profile(library, hmms):
    store, lent = ProfileStore(ProfileFile(*library), keep=3), set()
    want = [search_bytes(optimize(hmm)) for hmm in hmms]

    def work(seed):
        draw = random.Random(seed)
        for index in draw.choices(range(len(hmms)), k=50):
            with store.borrowed([index]) as (profile,):
                assert id(profile) not in lent and search_bytes(profile) == want[index]
                lent.add(id(profile))
                lent.remove(id(profile))
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(16)))


def test_the_last_used_are_kept():
    hmms = Counted()
    store = ProfileStore(hmms, keep=2)
    for index in (0, 1, 0, 2, 0, 1):
        with store.borrowed([index]):
            pass
    # 1 had to go for 2, and came again
    assert hmms.read == [0, 1, 2, 1]


def test_a_profile_that_a_search_failed_with_is_not_lent_again():
    store = ProfileStore(golden.hmms())
    with pytest.raises(OverflowError), store.borrowed([0]) as (failed,):
        raise OverflowError
    with store.borrowed([0]) as (profile,):
        assert profile is not failed


@pytest.mark.parametrize("threads", (1, 2, 5))
def test_prepared_profiles_are_made_once_and_lent(threads):
    hmms = Counted()
    store = ProfileStore(hmms)
    store.prepare([3, 0], threads)
    store.prepare([3, 0, 2], threads)
    for index in (0, 2, 3):
        with store.borrowed([index]) as (profile,):
            assert profile.name == golden.hmms()[index].name
    assert sorted(hmms.read) == [0, 2, 3]


def test_a_profile_that_cannot_be_prepared_is_reported():
    with pytest.raises(IndexError):
        ProfileStore(golden.hmms()).prepare([0, 999, 1], 2)


def test_search_profiles_are_those_of_hmmpress(tmp_path, hmms):
    """hmmscan reads what hmmpress wrote: ours must not differ but in file offsets."""
    from pyhmmer.hmmer import hmmpress

    hmmpress(hmms, tmp_path / "pressed")
    with HMMFile(tmp_path / "pressed") as reader:
        pressed = list(reader.optimized_profiles())
    for hmm, theirs in zip(hmms, pressed, strict=True):
        ours = search_bytes(optimize(hmm))
        assert ours[1] == search_bytes(theirs)[1]
        differing = sum(a != b for a, b in zip(ours[0], search_bytes(theirs)[0], strict=True))
        assert differing <= 24  # three file offsets


def test_of_several_profiles_the_damaged_one_is_named(tmp_path, hmms):
    path = tmp_path / "profiles.h3z"
    offsets = write_profiles(path, hmms[:3], packed=True)
    data = bytearray(path.read_bytes())
    data[offsets[1] : offsets[1] + 16] = b"H3Z\n" + bytes(12)
    path.write_bytes(data)
    store = ProfileStore(ProfileFile(path, offsets))
    with pytest.raises(PfamnetError, match="profiles.h3z: profile 2: damaged: not a packed profile$"):
        store.prepare([0, 1, 2], 1)
    with store.borrowed([0, 2]) as profiles:
        assert [profile.name for profile in profiles] == [hmms[0].name, hmms[2].name]


@pytest.mark.parametrize("damage", ["states", "zeros", "not a number"])
def test_a_profile_that_hmmer_cannot_bear_is_refused_before_it_is_read(tmp_path, damage):
    import gzip

    from pfamnet.profiles.files import write_profiles

    path = tmp_path / "profiles.h3m"
    write_profiles(path, golden.hmms()[:1])
    data = bytearray(path.read_bytes())
    if damage == "states":
        data[8:12] = (100_000_000).to_bytes(4, "little")
    if damage == "not a number":
        data[300:700] = b"\xff" * 400
    path.write_bytes(gzip.compress(bytes(1 << 26)) if damage == "zeros" else data)
    words = {"states": "100000000 states", "zeros": "HMM file is empty", "not a number": "damaged"}
    with pytest.raises(PfamnetError, match=f"profiles.h3m: profile 1: .*{words[damage]}"):
        ProfileStore(ProfileFile(path, [0])).hmm(0)
