"""What is read out of the tars is what was put in."""

from __future__ import annotations

import multiprocessing
import tarfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra [train]")

from imageprocess.data.index import read_index
from imageprocess.train import shards, store


def test_every_file_comes_back_from_shards_of_any_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    held = {
        f"a{i:02}": rng.bytes(size) for i, size in enumerate((0, 1, 511, 512, 513, 5000, 100_000, 7, 1024))
    }
    for shard_bytes in (1, 6000, 10**9):
        store = tmp_path / str(shard_bytes)
        store.mkdir()
        for name, data in held.items():
            (store / name).write_bytes(data)
        folder = shards.pack(store, held, shard_bytes)
        assert {name: shards.read(store, name) for name in held} == held
        assert shards.read(store, "other") is None
        found: dict[str, bytes] = {}
        for path in sorted(folder.glob("*.tar")):
            with tarfile.open(path) as archive:
                found |= {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
        assert found == held
    assert [path.name for path in sorted(folder.glob("*.tar"))] == ["00000.tar"]


def test_what_is_packed_stays_when_more_is_packed_or_packing_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(b"1")
    folder = shards.pack(tmp_path, ["first"])
    (tmp_path / "first").unlink()
    with pytest.raises(FileNotFoundError):
        shards.pack(tmp_path, ["first", "missing"])
    assert shards.read(tmp_path, "first") == b"1"
    (tmp_path / "second").write_bytes(b"2")
    (folder / "00007.tar").write_bytes(b"of a packing that was killed")
    shards.pack(tmp_path, ["first", "second"])
    assert [shards.read(tmp_path, name) for name in ("first", "second")] == [b"1", b"2"]
    assert sorted(path.name for path in folder.iterdir()) == ["00000.tar", "00001.tar", "shards.json"]


def _read(store: Path, name: str) -> bytes | None:
    return shards.read(store, name)


def test_reading_processes_have_descriptors_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"0123456789")
    shards.pack(tmp_path, ["x"])
    assert shards.read(tmp_path, "x") == b"0123456789"
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.starmap(_read, [(tmp_path, "x")] * 8) == [b"0123456789"] * 8


def test_training_pictures_come_out_of_the_shards(drawn_data: Path, tmp_path: Path) -> None:
    import shutil

    data = shutil.copytree(drawn_data, tmp_path / "data")
    rows = read_index(data)
    training, held_out = ([row for row in rows if row.split == split] for split in ("train", "val"))
    store.fill_store(data, training, held_out, deliveries=2, jobs=1, progress=lambda done, of: None)
    loose = [store.read_delivery(data, row, 2) for row in training]
    store.pack_store(data, training, held_out, deliveries=2)
    for row in training:
        store.delivery_path(data, row, 2).unlink()
        (data / row.path).unlink()
    packed = [store.read_delivery(data, row, 2) for row in training]
    assert all(np.array_equal(a, b) for a, b in zip(loose, packed, strict=True))
