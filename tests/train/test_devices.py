"""Two processes, each with its share of every batch, learn what one learns."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from imageprocess.errors import UsageError  # noqa: E402
from imageprocess.train.devices import DeviceOptions, open_fabric, predict_share, train_share  # noqa: E402


@pytest.mark.parametrize("count", range(12))
def test_batch_shares_are_equal_and_disjoint(count: int) -> None:
    order = list(range(100, 100 + count))
    shares = [train_share(_rank(rank, 3), order) for rank in range(3)]
    assert len({len(one) for one in shares}) == 1
    assert sorted(i for one in shares for i in one) == order[: count - count % 3]
    for number in range(len(shares[0]) // 2):  # batches of six, two for each
        together = {i for one in shares for i in one[2 * number : 2 * number + 2]}
        assert together == set(order[6 * number : 6 * number + 6])


@pytest.mark.parametrize("count", range(1, 12))
def test_padded_shares_reassemble_the_dataset(count: int) -> None:
    shares = [predict_share(_rank(rank, 3), count) for rank in range(3)]
    together = np.array(shares).T.reshape(-1)
    assert together[:count].tolist() == list(range(count))


def _rank(rank: int, world: int) -> Any:
    return SimpleNamespace(global_rank=rank, world_size=world)


def test_indivisible_batch_is_rejected() -> None:
    with pytest.raises(UsageError, match="--batch-size 32: cannot be divided equally among 3 processes"):
        open_fabric(DeviceOptions(3), 32, "32-true")


# The command without what alone differs between one process and two: the draws of dropout, and normalisation over what
# a process sees of a batch.
SCRIPT = """
from torch import nn
nn.Dropout.forward = lambda self, activations: activations
from imageprocess.train.nets import CNN
CNN.to_train = classmethod(lambda cls: cls())
from imageprocess.cli import main
main(prog_name="imageprocess")
"""


@pytest.mark.torch
def test_the_losses_of_two_processes_are_those_of_one(drawn_data: Path, tmp_path: Path) -> None:
    curves = {devices: _train(drawn_data, tmp_path / str(devices), devices) for devices in (1, 2)}
    _are_alike(curves)
    assert (tmp_path / "2" / "model" / "model.onnx").is_file()
    assert not list((tmp_path / "2").glob("*.part"))


@pytest.mark.torch
def test_the_losses_of_two_machines_are_those_of_one(drawn_data: Path, tmp_path: Path) -> None:
    """Each of one process, both on this one."""
    one = _train(drawn_data, tmp_path / "1", 1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    out = tmp_path / "2"
    command, environment = _command(drawn_data, out, "--nodes", "2", "--resized")
    follower = subprocess.Popen(
        command, env={**environment, **where, "NODE_RANK": "1"}, stdout=subprocess.PIPE, text=True
    )
    try:
        first = subprocess.run(
            command,
            env={**environment, **where, "NODE_RANK": "0"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        said, _ = follower.communicate(timeout=60)
    finally:
        follower.kill()
    assert first.returncode == follower.returncode == 0, first.stderr
    assert first.stdout.splitlines() == [str(out / "model")] and not said
    _are_alike({1: one, 2: _log(out)})


def _are_alike(curves: dict[int, list[dict[str, str]]]) -> None:
    assert [row["epoch"] for row in curves[2]] == ["1", "2"]
    for key in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
        one, two = ([float(row[key]) for row in curves[devices]] for devices in (1, 2))
        assert two == pytest.approx(one, abs=1e-3), key


def _train(data: Path, out: Path, devices: int) -> list[dict[str, str]]:
    command, environment = _command(data, out, "--devices", str(devices))
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(out / "model")]  # one process talks
    return _log(out)


def _command(data: Path, out: Path, *options: str) -> tuple[list[str], dict[str, str]]:
    """-> the command, and the environment that it needs."""
    script = out.with_suffix(".py")
    script.write_text(SCRIPT)
    command = [
        sys.executable, str(script), "train", "--data", str(data), "--out", str(out), "--epochs", "2",
        "--batch-size", "8", "--precision", "32-true", "--workers", "0", *options,
    ]  # fmt: skip
    return command, {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _log(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open() as rows:
        return list(csv.DictReader(rows))
