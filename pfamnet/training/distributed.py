"""Several processes that train one network: torchrun, accelerate launch.

torch's DistributedDataParallel averages their gradients, and on GPUs batch normalisation sees the rows of all. Each
process draws its own batches. The first process reads and writes; it sends the others what they need, so they need
neither the data nor a common disk. A training may continue with any number of processes.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import PfamnetError
from ..signals import Terminated

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
WAIT = timedelta(days=30)  # the first process may build profiles for long


@dataclass(frozen=True)
class Group:
    """The processes of a training, as one of them sees them; by default it is the only one.

    `rank` is its number among `size` processes, `local_rank` that among the `local_size` of its machine.
    """

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
        try:
            result = [(make(),) if self.first else None]
        except BaseException:
            with suppress(PfamnetError):
                self.broadcast([None])
            raise
        self.broadcast(result)
        if result[0] is None:
            raise SystemExit(1)  # the first process prints why
        return result[0][0]

    def broadcast(self, result: list) -> None:
        with self.in_touch():
            distributed.broadcast_object_list(result, 0)

    def mean(self, value: float) -> float:
        """The mean of a number over the processes."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        with self.in_touch():
            distributed.all_reduce(total)
        return total.item() / self.size

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The form of a network to train; the weights and statistics are those of `network` itself."""
        if self.size == 1:
            return network
        tensors = [*network.parameters(), *network.buffers()]
        twin = copy.deepcopy(network, {id(tensor): tensor for tensor in tensors})
        if tensors[0].is_cuda:
            twin = nn.SyncBatchNorm.convert_sync_batchnorm(twin)
        with self.in_touch():
            return DistributedDataParallel(twin, broadcast_buffers=False)

    @contextmanager
    def in_touch(self):
        """Turn the loss of another process into a PfamnetError."""
        try:
            yield
        except RuntimeError as error:
            if not isinstance(error, distributed.DistError) and "gloo" not in str(error):
                raise
            raise PfamnetError(
                f"{self}: another process has ended or cannot be reached; resume the build"
            ) from error

    def close(self) -> None:
        if self.size > 1 and distributed.is_initialized():
            distributed.destroy_process_group()


def join() -> Group:
    """The processes that a launcher started, by the environment it left; by default this one alone.

    Raises:
        PfamnetError: the environment is incomplete, or the other processes cannot be reached.
    """
    given = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    if not {"RANK", "WORLD_SIZE"} <= given.keys() or given["WORLD_SIZE"] == "1":
        return Group()
    try:
        rank, size = int(given["RANK"]), int(given["WORLD_SIZE"])
        local = int(os.environ.get("LOCAL_RANK") or rank), int(os.environ.get("LOCAL_WORLD_SIZE") or size)
    except ValueError:
        rank = size = -1
    if len(given) < len(VARIABLES) or not 0 <= rank < size:
        raise PfamnetError(f"{', '.join(VARIABLES)} in the environment are wrong; start with torchrun")
    group = Group(rank, size, *local)
    with group.in_touch():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(backend, timeout=WAIT)
    return group


@contextmanager
def joined(say: Callable[[str], None]):
    """The processes that a launcher started; `say` takes a line if a signal ends this one."""
    group = join()
    try:
        yield group
    except Terminated:
        if group.size > 1:
            say(f"{group}: stopped by a signal, as launchers send if another process ends; resume the build")
        raise


def own_device(name: str, group: Group) -> str:
    """The name of this process' device: each process has a GPU of its own."""
    if group.size == 1 or name not in ("auto", "cuda") or not torch.cuda.is_available():
        return name
    gpus = torch.cuda.device_count()
    if group.local_size > gpus:
        raise PfamnetError(
            f"{group.local_size} processes on a machine with {gpus} GPUs: start at most {gpus}"
        )
    torch.cuda.set_device(group.local_rank)
    return f"cuda:{group.local_rank}"
