"""Data-parallel training: each process has its share of every batch, and all have the same weights.

It uses Fabric's DDP, with gloo on CPUs and NCCL on GPUs. The mean of the gradients over equal shares is the gradient of
the whole batch, so the losses equal those of one device except for rounding, dropout, and batch normalisation, which
each process computes over its own share.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor

from ..errors import UsageError

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # parameters of mallopt(3)


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    devices: int = 1  # GPUs, or processes on a CPU, of each machine
    nodes: int = 1  # machines

    @property
    def processes(self) -> int:
        return self.devices * self.nodes


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next step, which allocates as much again.

    By default it returns large blocks to the system and page-faults them in again, which takes half of the time of a
    step of the CNN on a CPU. It does nothing with another C library.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_MAX, 0)
            mallopt(_M_TRIM_THRESHOLD, -1)


def open_fabric(
    options: DeviceOptions, batch_size: int, precision: Literal["32-true", "bf16-mixed"]
) -> Fabric:
    """Start the other processes of this machine, which run the same command, and wait for those of other machines.

    The environment variables NODE_RANK, MASTER_ADDR and MASTER_PORT name this machine and the first one. Raises
    UsageError if `batch_size` is not divisible by the number of processes.
    """
    if batch_size % options.processes:
        raise UsageError(
            f"--batch-size {batch_size}: cannot be divided equally among {options.processes} processes; use a multiple"
        )
    parallel = options.processes > 1
    fabric = Fabric(
        accelerator="auto",
        devices=options.devices,
        num_nodes=options.nodes,
        strategy="ddp" if parallel else "auto",
        precision=precision,
    )
    if parallel:
        # By default every process would use all cores of a CPU.
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // options.devices))
        fabric.launch()
    return fabric


def is_first_on_machine() -> bool:
    """Whether this is the first process of the run on this machine."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def is_follower() -> bool:
    """Whether another process of the run has started this one. Only the first process prints and writes files."""
    return not is_first_on_machine() or os.environ.get("NODE_RANK", "0") != "0"


def train_share(fabric: Fabric, order: Sequence[int]) -> list[int]:
    """This process's part of `order`: every n-th element. Up to n - 1 elements at the end are dropped, so that all
    processes have the same number."""
    world = fabric.world_size
    return list(order[fabric.global_rank : len(order) - len(order) % world : world])


def sum_over_processes(fabric: Fabric, *values: float) -> list[float]:
    if fabric.world_size == 1:
        return list(values)
    total: Any = fabric.all_reduce(torch.tensor(values, dtype=torch.float64), reduce_op="sum")
    sums: list[float] = total.tolist()
    return sums


def predict_share(fabric: Fabric, count: int) -> list[int]:
    """This process's part of 0 to `count` - 1. The last index is repeated so that all processes have the same
    number."""
    world = fabric.world_size
    padded = -(-count // world) * world
    return [min(i, count - 1) for i in range(fabric.global_rank, padded, world)]


def gather_predictions(fabric: Fabric, rows: Tensor, count: int) -> Tensor:
    """The rows of every process's `predict_share`, in their original order and without padding: (count, ...)."""
    if fabric.world_size == 1:
        return rows
    by_process: Any = fabric.all_gather(rows)  # (world, share, ...)
    return torch.as_tensor(by_process.transpose(0, 1).flatten(0, 1)[:count])
