"""The store's many small files in a few large ones: tars of some 256 MB, and an index of where each file lies in them.

What a cluster's file system or a mounted bucket serves well. Any process reads any picture, so the order of an epoch,
and with it the result, is that of the loose files.
"""

from __future__ import annotations

import functools
import io
import json
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

_INDEX = "shards.json"
_SHARD_BYTES = 256_000_000


def pack(store: Path, names: Iterable[str], shard_bytes: int = _SHARD_BYTES) -> Path:
    """Write those of the files `names` of `store` that lie in none yet into further STORE/shards/00000.tar and on.
    -> that folder. The index is written last, whole: until then what was there before holds."""
    folder = store / "shards"
    folder.mkdir(exist_ok=True)
    _index.cache_clear()
    index = dict(_index(store))
    listed = {number for number, _, _ in index.values()}
    for path in folder.glob("*.tar"):
        if int(path.stem) not in listed:  # of a packing that was stopped
            path.unlink()
    number, written = max(listed, default=-1), shard_bytes
    archive: tarfile.TarFile | None = None
    try:
        for name in dict.fromkeys(names):
            if name in index:
                continue
            data = (store / name).read_bytes()
            if archive is None or written >= shard_bytes:
                if archive is not None:
                    archive.close()
                number += 1
                archive, written = tarfile.open(folder / f"{number:05}.tar", "w"), 0  # noqa: SIM115
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
            # The data end where the padding to 512-byte blocks begins.
            start = archive.offset - -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
            index[name] = (number, start, len(data))
            written += len(data)
    finally:
        if archive is not None:
            archive.close()
    part = folder / f"{_INDEX}.part"
    part.write_text(json.dumps(index), encoding="utf-8")
    part.replace(folder / _INDEX)
    _index.cache_clear()
    _open.cache_clear()
    return folder


def read(store: Path, name: str) -> bytes | None:
    """The file `name` out of the shards of `store`; None where there are none, or it is in none of them."""
    place = find(store, name)
    if place is None:
        return None
    number, start, size = place
    return os.pread(_open(store, number, os.getpid()), size, start)


def find(store: Path, name: str) -> tuple[int, int, int] | None:
    """Number of the shard, first byte, bytes."""
    return _index(store).get(name)


@functools.cache
def _index(store: Path) -> dict[str, tuple[int, int, int]]:
    try:
        text = (store / "shards" / _INDEX).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return {name: (number, start, size) for name, (number, start, size) in json.loads(text).items()}


@functools.lru_cache(maxsize=256)
def _open(store: Path, number: int, pid: int) -> int:
    """A descriptor for each process: `pid` keeps those of a forked reader apart."""
    return os.open(store / "shards" / f"{number:05}.tar", os.O_RDONLY | os.O_CLOEXEC)
