"""Search profiles that threads share, one thread at a time each.

A search writes into its profile, so no two may use one at once; but where each
thread goes through many families, hardly two ask for the same. So one search
profile of each family is enough for all of them.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pyhmmer.plan7 import OptimizedProfile

from .files import optimize

KEEP = 32_768  # profiles; about 50 kB each


class ProfilePool:
    """Lends the search profiles of a store; made when first asked for, the last used ones kept.

    `store` has `hmm(i)`, the profile of family i, and may be asked from any thread.
    """

    def __init__(self, store, keep: int = KEEP) -> None:
        self.store, self.keep = store, keep
        self._free: OrderedDict[int, OptimizedProfile] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self, indices: Sequence[int], threads: int) -> None:
        """Make the search profiles of families in several threads at once.

        Raises: as `store.hmm`.
        """

        def make(share: Sequence[int]) -> None:
            for index in share:
                profile = optimize(self.store.hmm(index))
                with self._lock:
                    self._free[index] = profile

        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(make, (indices[start::threads] for start in range(threads))):
                pass

    @contextmanager
    def borrowed(self, index: int) -> Iterator[OptimizedProfile]:
        """The search profile of a family, nobody else's meanwhile.

        It is not used again when an exception leaves the block, in whatever state.

        Raises: as `store.hmm`.
        """
        with self._lock:
            profile = self._free.pop(index, None)
        if profile is None:
            profile = optimize(self.store.hmm(index))
        yield profile
        with self._lock:
            self._free[index] = profile
            if len(self._free) > self.keep:
                self._free.popitem(last=False)
