"""One device or several: each process of a run has its share of every batch, and all have the same weights.

With gloo on CPUs or NCCL on GPUs, through Fabric's DDP. The gradients' mean over equal shares is the whole batch's, so
the losses are one device's within rounding, dropout, and normalisation: over its share of a batch, by each for itself.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor

from ..errors import UsageError

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of mallopt(3)


def keep_memory() -> None:
    """Have glibc keep what is freed for the next step, which takes as much again. By default it gives large blocks back
    to the system and gets them anew, page by page: half of the time of a step of the CNN on a CPU. With another C
    library nothing happens."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_MAX, 0)
            mallopt(_M_TRIM_THRESHOLD, -1)


def open_fabric(
    devices: int, batch_size: int, precision: Literal["32-true", "bf16-mixed"], *, nodes: int = 1
) -> Fabric:
    """Start this machine's other processes, which run the same command, and wait for the other machines'.

    Which machine this is, and where the first one is, stands in NODE_RANK, MASTER_ADDR and MASTER_PORT. Raises
    UsageError where a batch has no equal shares.
    """
    world = devices * nodes
    if batch_size % world:
        raise UsageError(f"a batch of {batch_size} has no equal shares for {world} devices")
    strategy = "ddp" if world > 1 else "auto"
    fabric = Fabric(
        accelerator="auto", devices=devices, num_nodes=nodes, strategy=strategy, precision=precision
    )
    if world > 1:
        # Each would take every core of a CPU.
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // devices))
        fabric.launch()
    return fabric


def is_first_here() -> bool:
    """Is this the first process of the run on this machine?"""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def is_follower() -> bool:
    """Is this a process that another one of the run has started? The first alone talks, and writes files."""
    return not is_first_here() or os.environ.get("NODE_RANK", "0") != "0"


def share(fabric: Fabric, order: Sequence[int]) -> list[int]:
    """This process's part: of each batch every n-th. Up to n - 1 at the end, which some would lack, are left out."""
    world = fabric.world_size
    return list(order[fabric.global_rank : len(order) - len(order) % world : world])


def total(fabric: Fabric, *values: float) -> list[float]:
    """Each value summed over the processes."""
    if fabric.world_size == 1:
        return list(values)
    summed: Any = fabric.all_reduce(torch.tensor(values, dtype=torch.float64), reduce_op="sum")
    found: list[float] = summed.tolist()
    return found


def padded_share(fabric: Fabric, count: int) -> list[int]:
    """This process's part of 0 to count - 1, as many for each: the last is seen again where they come out uneven."""
    world = fabric.world_size
    rounded = -(-count // world) * world
    return [min(i, count - 1) for i in range(fabric.global_rank, rounded, world)]


def gathered(fabric: Fabric, rows: Tensor, count: int) -> Tensor:
    """The rows of every process's `padded_share`, in the order of the whole: (count, ...)."""
    if fabric.world_size == 1:
        return rows
    everyone: Any = fabric.all_gather(rows)  # (world, share, ...)
    return torch.as_tensor(everyone.transpose(0, 1).flatten(0, 1)[:count])
