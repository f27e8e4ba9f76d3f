"""Several processes that train one network: torchrun, accelerate launch.

The same result as one process, whatever their number, but for the rounding of
sums: each process works on some rows of every batch.  Losses are divided by
what the whole batch weighs, gradients are added up, batch normalisation takes
mean and variance of all rows (on CPUs too, where torch's SyncBatchNorm does
not), and dropout draws the mask of the whole batch and takes its rows of it.
So a training may go on with more processes, or fewer, than it began with.

The first process reads, writes and speaks; what the others need it sends them,
so that they need neither the data nor a common disk.  gloo carries what is on
the CPU, NCCL what is on GPUs.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import torch
from torch import nn

from ..errors import PfamnetError
from ..signals import Terminated
from .sampler import Batch

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
WAIT = timedelta(days=30)  # profiles may take the first process long
BUCKET = 8_000_000  # numbers that are sent at once


class Alone:
    """The one process of a training that has no others."""

    rank, size, local_rank, local_size = 0, 1, 0, 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, make):
        """What `make` gives in the first process, in all of them."""
        return make()

    def add(self, tensor: torch.Tensor) -> torch.Tensor:
        """Add up a tensor over the processes, in place."""
        return tensor

    def close(self) -> None:
        pass


class Together(Alone):
    """One of several processes."""

    def __init__(self, rank: int, size: int, local_rank: int, local_size: int):
        import torch.distributed as distributed

        self.rank, self.size, self.local_rank, self.local_size = rank, size, local_rank, local_size
        self.distributed, self.gpus = distributed, None
        with self.in_touch():
            distributed.init_process_group("gloo", timeout=WAIT)
            if torch.cuda.is_available():
                self.gpus = distributed.new_group(backend="nccl")

    def share(self, make):
        value, failure = None, None
        if self.first:
            try:
                value = make()
            except BaseException as error:
                failure = error
        box = [(failure is None, value)]
        try:
            with self.in_touch():
                self.distributed.broadcast_object_list(box, 0)
        except PfamnetError:
            if failure is None:
                raise
        if failure is not None:
            raise failure
        if not box[0][0]:
            raise SystemExit(1)  # the first process says why
        return box[0][1]

    def add(self, tensor: torch.Tensor) -> torch.Tensor:
        with self.in_touch():
            self.distributed.all_reduce(tensor, group=self.gpus if tensor.is_cuda else None)
        return tensor

    def close(self) -> None:
        if self.distributed.is_initialized():
            self.distributed.destroy_process_group()

    @contextmanager
    def in_touch(self):
        """Say in one line that others are gone."""
        try:
            yield
        except RuntimeError as error:  # torch's own are of this kind
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise PfamnetError(
                f"process {self.rank} of {self.size}: another process of the training has ended, "
                "or cannot be reached; repeat the command with --resume"
            ) from error


def join() -> Alone:
    """The processes that a launcher started, by the environment it left; else this one alone.

    Raises PfamnetError where that environment is not whole, or the others cannot be reached.
    """
    given = [name for name in VARIABLES if os.environ.get(name)]
    if "RANK" not in given or "WORLD_SIZE" not in given:
        return Alone()
    try:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local = [
            int(os.environ.get(name) or default)
            for name, default in (("LOCAL_RANK", rank), ("LOCAL_WORLD_SIZE", size))
        ]
    except ValueError:
        raise PfamnetError(
            "RANK and WORLD_SIZE in the environment are no numbers; start with torchrun"
        ) from None
    if size == 1:
        return Alone()
    if len(given) < len(VARIABLES) or not 0 <= rank < size:
        raise PfamnetError(
            f"{', '.join(VARIABLES)} in the environment do not fit each other; start with torchrun"
        )
    return Together(rank, size, *local)


@contextmanager
def joined(say):
    """The processes that a launcher started; `say` takes a line where a signal ends this one."""
    group = join()
    try:
        yield group
    except Terminated:  # as launchers do where another process has ended
        if group.size > 1:
            say(
                f"process {group.rank} of {group.size}: stopped by a signal, as launchers send when another "
                "process has ended; repeat the command with --resume"
            )
        raise


def own_device(name: str, group: Alone) -> str:
    """The name of the device of one of several processes: each has a GPU of its own."""
    if group.size == 1 or name not in ("auto", "cuda") or not torch.cuda.is_available():
        return name
    gpus = torch.cuda.device_count()
    if group.local_size > gpus:
        raise PfamnetError(
            f"{group.local_size} processes for {gpus} GPUs of this machine: start as many as there "
            "are GPUs, or give --device cpu"
        )
    torch.cuda.set_device(group.local_rank)
    return f"cuda:{group.local_rank}"


# -- a batch and its parts


def part_of(batch: Batch, rank: int, size: int) -> tuple[Batch, int]:
    """The rows of a batch that a process works on, and the first of them."""
    if size == 1:
        return batch, 0
    rows = len(batch.tokens)
    first, last = rank * rows // size, (rank + 1) * rows // size

    def of_rows(targets, *others):
        held = (targets[:, 0] >= first) & (targets[:, 0] < last)
        moved = targets[held]
        moved[:, 0] -= first
        return moved, *(other[held] for other in others)

    blocks, weights = of_rows(batch.blocks, batch.weights)
    (pooled,) = of_rows(batch.pooled)
    return Batch(batch.tokens[first:last], batch.lengths[first:last], blocks, weights, pooled), first


def add_gradients(network: nn.Module, group: Alone) -> None:
    """Add up the gradients of all processes, many at once."""
    held, numbers = [], 0
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for place, parameter in enumerate(parameters):
        if parameter.grad is None:  # every process must send the same
            parameter.grad = torch.zeros_like(parameter)
        held.append(parameter.grad)
        numbers += parameter.numel()
        if numbers >= BUCKET or place == len(parameters) - 1:
            flat = group.add(torch.cat([gradient.reshape(-1) for gradient in held]))
            for gradient, summed in zip(held, flat.split([g.numel() for g in held])):
                gradient.copy_(summed.view_as(gradient))
            held, numbers = [], 0


# -- layers that see the whole batch


class Rows:
    """Which rows of the batch under way are here: `first` of `all`."""

    first = all = 0


class Sum(torch.autograd.Function):
    """The sum over the processes, of gradients too."""

    @staticmethod
    def forward(context, tensor, group):
        context.group = group
        return group.add(tensor.clone())

    @staticmethod
    def backward(context, gradient):
        return context.group.add(gradient.clone()), None


@contextmanager
def whole_batches(network: nn.Module, group: Alone, rows: Rows):
    """Let normalisation and dropout of a network see the rows of all processes while it trains."""
    changed = []
    if group.size > 1:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.forward = partial(normalise, module, group, rows)
            elif type(module) is nn.Dropout:
                module.forward = partial(drop, module, rows)
            else:
                continue
            changed.append(module)
    try:
        yield
    finally:
        for module in changed:
            del module.forward


def normalise(norm: nn.BatchNorm1d, group: Alone, rows: Rows, x: torch.Tensor) -> torch.Tensor:
    """Batch normalisation of (B, C, L) by mean and variance of all processes' rows."""
    if not norm.training:
        return type(norm).forward(norm, x)
    wide, count = x.float(), rows.all * x.shape[2]
    mean = Sum.apply(wide.sum((0, 2)), group) / count
    centred = wide - mean[:, None]
    variance = Sum.apply((centred * centred).sum((0, 2)), group) / count
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * (count / max(count - 1, 1)), norm.momentum)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return (centred * scale[:, None] + norm.bias[:, None]).to(x.dtype)


def drop(dropout: nn.Dropout, rows: Rows, x: torch.Tensor) -> torch.Tensor:
    """Dropout of (B, ...): the mask is drawn for the whole batch, as one process draws it."""
    if not dropout.training or not dropout.p:
        return x
    kept, size = 1 - dropout.p, x[0].numel() if len(x) else 0
    strides = x.stride() if len(x) and x.stride(0) == size else torch.empty((1, *x.shape[1:])).stride()
    # the order of memory is that in which one process would draw
    mask = torch.empty_strided((rows.all, *x.shape[1:]), strides, dtype=x.dtype, device=x.device)
    mask.bernoulli_(kept).div_(kept)
    return x * mask[rows.first : rows.first + len(x)]
