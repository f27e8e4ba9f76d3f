"""Several processes that train one network, as torchrun and accelerate launch start them.

Each draws its own batches, and DistributedDataParallel averages their gradients. The first one reads and
writes, and sends the others what they need.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import PfamnetError
from ..signals import Terminated

WAIT = timedelta(days=30)  # the first process may build profiles for long


@dataclass(frozen=True)
class Group:
    """The processes of a training, as one of them sees them: `local_size` of `size` are on its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def __str__(self) -> str:
        return f"process {self.rank} of {self.size}"

    def share(self, make: Callable):
        """Call `make` in the first process, and return its result in all."""
        if self.size == 1:
            return make()
        result = [None]
        try:
            if self.first:
                result = [(make(),)]
        finally:
            with self.in_touch():
                distributed.broadcast_object_list(result, 0)
        if result[0] is None:
            raise SystemExit(1)  # the first process prints why
        return result[0][0]

    def mean(self, value: float | torch.Tensor) -> float | torch.Tensor:
        """The mean of a number over the processes."""
        if self.size == 1:
            return value
        total = torch.tensor(float(value), dtype=torch.float64)
        with self.in_touch():
            distributed.all_reduce(total)
        return total.item() / self.size

    def wrapped(self, network: nn.Module) -> nn.Module:
        """What to train in place of a network; it shares the network's weights and buffers."""
        if self.size == 1:
            return network
        tensors = [*network.parameters(), *network.buffers()]
        twin = copy.deepcopy(network, {id(tensor): tensor for tensor in tensors})
        with self.in_touch():
            return DistributedDataParallel(twin)

    @contextmanager
    def in_touch(self):
        """Raise PfamnetError if another process is lost."""
        try:
            yield
        except RuntimeError as error:
            if not isinstance(error, distributed.DistError) and "gloo" not in str(error):
                raise
            raise PfamnetError(f"{self}: another process has ended; resume the build") from error

    def close(self) -> None:
        if self.size > 1 and distributed.is_initialized():
            distributed.destroy_process_group()


@contextmanager
def joined(say: Callable[[str], None]):
    """The processes that a launcher started; `say` takes a line if a signal ends this one."""
    group = join()
    try:
        yield group
    except Terminated:
        if group.size > 1:
            say(f"{group}: stopped by a signal, perhaps as another process has ended; resume the build")
        raise


def join() -> Group:
    """The processes that a launcher started, by its environment variables; by default this one alone."""
    given = os.environ
    if not given.get("RANK") or given.get("WORLD_SIZE", "1") in ("", "1"):
        return Group()
    try:
        rank, size = int(given["RANK"]), int(given["WORLD_SIZE"])
        local = int(given.get("LOCAL_RANK", rank)), int(given.get("LOCAL_WORLD_SIZE", size))
        group = Group(rank, size, *local)
        if not 0 <= rank < size:
            raise ValueError(f"RANK {rank} of {size}")
        with group.in_touch():
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            distributed.init_process_group(backend, timeout=WAIT)
    except ValueError as error:
        raise PfamnetError(f"wrong environment, start with torchrun: {error}") from None
    return group


def own_device(name: str, group: Group) -> str:
    """The name of this process' device: each has a GPU of its own."""
    if group.size == 1 or name not in ("auto", "cuda") or not torch.cuda.is_available():
        return name
    gpus = torch.cuda.device_count()
    if group.local_size > gpus:
        raise PfamnetError(f"{group.local_size} processes, but {gpus} GPUs: start at most {gpus}")
    torch.cuda.set_device(group.local_rank)
    return f"cuda:{group.local_rank}"
