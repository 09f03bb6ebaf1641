"""Which models there are, and whether their files are what they say. Loads no NumPy: `--version` calls it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import ModelError
from .spec import ModelSpec, load_spec

DEFAULT_MODEL = "blend"
MODELS = Path(__file__).parents[1] / "models"  # the shipped ones, a folder each


def shipped() -> list[Path]:
    """The folders of the models that came with the package, by name."""
    return sorted(path.parent for path in MODELS.glob("*/model.json"))


def resolve(model: str | Path | None = None) -> Path:
    """A shipped model's name, a folder's path, or None for the default -> the folder. Raises ModelError."""
    if model is None:
        model = DEFAULT_MODEL
    named = MODELS / model
    if isinstance(model, str) and named.parent == MODELS and (named / "model.json").is_file():
        return named
    if (Path(model) / "model.json").is_file():
        return Path(model)
    names = ", ".join(folder.name for folder in shipped()) or "none"
    raise ModelError(f"{model}: neither a shipped model ({names}) nor a folder with a model.json in it")


def verify(folder: Path) -> ModelSpec:
    """Compare each file that model.json names with its sha256. ModelError names the first that differs."""
    spec = load_spec(folder)
    for name, expected in spec.facts["files"].items():
        path = folder / name
        if path.parent != folder:
            raise ModelError(f"{folder}: model.json names a file outside its folder ({name})")
        try:
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
        if found != expected:
            raise ModelError(f"{path}: sha256 is {found[:12]}..., model.json says {str(expected)[:12]}...")
    return spec
