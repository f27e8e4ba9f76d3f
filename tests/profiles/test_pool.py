"""Search profiles on loan: each to one thread at a time, and none twice where one will do."""

import threading

import golden
import pytest

from pfamnet.profiles.pool import ProfilePool


class Store:
    """Counts how often a profile is read."""

    def __init__(self):
        self.hmms, self.read = golden.hmms(), []

    def hmm(self, index):
        self.read.append(index)
        return self.hmms[index]


def test_a_profile_is_made_once_and_lent_again():
    store = Store()
    pool = ProfilePool(store)
    with pool.borrowed(2) as first:
        assert first.name == store.hmms[2].name
    with pool.borrowed(2) as again, pool.borrowed(3) as other:
        assert again is first and other is not first
    assert store.read == [2, 3]


def test_what_is_lent_is_lent_to_no_other():
    pool, names = ProfilePool(Store()), []
    with pool.borrowed(1) as mine:

        def borrow():
            with pool.borrowed(1) as profile:
                names.append(profile is mine)

        thread = threading.Thread(target=borrow)
        thread.start()
        thread.join()
    assert names == [False]


def test_the_last_used_are_kept():
    store = Store()
    pool = ProfilePool(store, keep=2)
    for index in (0, 1, 0, 2, 0, 1):
        with pool.borrowed(index):
            pass
    # 1 had to go for 2, and came again
    assert store.read == [0, 1, 2, 1]


def test_a_profile_that_a_search_failed_with_is_not_lent_again():
    pool = ProfilePool(Store())
    with pytest.raises(OverflowError), pool.borrowed(0) as failed:
        raise OverflowError
    with pool.borrowed(0) as profile:
        assert profile is not failed


@pytest.mark.parametrize("threads", (1, 2, 5))
def test_prepared_profiles_are_made_once_and_lent(threads):
    store = Store()
    pool = ProfilePool(store)
    pool.prepare([3, 0, 2], threads)
    for index in (0, 2, 3):
        with pool.borrowed(index) as profile:
            assert profile.name == store.hmms[index].name
    assert sorted(store.read) == [0, 2, 3]


def test_a_profile_that_cannot_be_prepared_is_told():
    with pytest.raises(IndexError):
        ProfilePool(Store()).prepare([0, 999, 1], 2)
