"""Lists the available models and checks their files. Does not import NumPy, because `--version` uses it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import ModelError
from ..home import models_home
from .spec import ModelSpec, load_spec

BEST_MODEL = "clip"  # the default if it is installed
DEFAULT_MODEL = "student"  # the default otherwise; ships with the package
WEIGHTS_SUFFIX = ".pth"  # weights for training: in the repository, not in an installed wheel
MODELS = Path(__file__).parents[1] / "models"  # a folder per model that ships


def shipped() -> list[Path]:
    """The folders of the models that ship with the package and can run, sorted by name."""
    return [folder for folder in _folders() if (folder / "model.onnx").is_file()]


def obtainable() -> list[Path]:
    """The folders of the models that must be composed from a downloaded base, sorted by name."""
    return [folder for folder in _folders() if not (folder / "model.onnx").is_file()]


def _folders() -> list[Path]:
    return sorted(path.parent for path in MODELS.glob("*/model.json"))


def installed(name: str) -> Path | None:
    """The folder of a downloaded model, or None if it is not installed or was composed from an older head."""
    recipe, folder = MODELS / name, models_home() / name
    if not (recipe / "model.json").is_file() or not (folder / "model.json").is_file():
        return None
    try:
        is_current = load_spec(folder).facts.get("recipe") == recipe_id(load_spec(recipe))
    except ModelError:
        return None
    return folder if is_current else None


def recipe_id(spec: ModelSpec) -> str:
    """Identifies the version and weights that a model is composed from, 16 hexadecimal digits, so that a model with an
    older head is not used. Changes of its card and notice do not change it."""
    weights = {name: digest for name, digest in spec.facts["files"].items() if name.endswith(".npz")}
    parts = [spec.version, *(f"{name}:{digest}" for name, digest in sorted(weights.items()))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def default() -> Path:
    """The best model if it is installed, else the one that ships."""
    return installed(BEST_MODEL) or MODELS / DEFAULT_MODEL


def better_model() -> str | None:
    """The name of the model that would be the default if it were installed; None if it is, or does not exist."""
    return BEST_MODEL if (MODELS / BEST_MODEL) in obtainable() and not installed(BEST_MODEL) else None


def resolve(model: str | Path | None = None) -> Path:
    """The folder of `model`: a model's name, the path of a folder, or None for the default. Raises ModelError."""
    if model is None:
        return default()
    recipe = MODELS / model
    if isinstance(model, str) and recipe.parent == MODELS and (recipe / "model.json").is_file():
        folder = recipe if recipe in shipped() else installed(model)
        if folder is None:
            raise ModelError(f"{model}: not installed; run `imageprocess model get {model}`")
        return folder
    if (Path(model) / "model.json").is_file():
        return Path(model)
    names = ", ".join(folder.name for folder in _folders()) or "none"
    raise ModelError(f"{model}: neither a shipped model ({names}) nor a folder with a model.json in it")


def file_sha256(path: Path) -> str:
    """64 hexadecimal digits. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(folder: Path) -> ModelSpec:
    """Compare each file that model.json lists with its sha256. Raises ModelError that names the first that differs.

    Weights for training may be absent, as in a wheel; if present, they are compared too.
    """
    spec = load_spec(folder)
    for name, expected in spec.facts["files"].items():
        path = folder / name
        if path.parent != folder:
            raise ModelError(f"{folder}: model.json names a file outside its folder ({name})")
        if path.suffix == WEIGHTS_SUFFIX and not path.exists():
            continue
        try:
            actual = file_sha256(path)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
        if actual != expected:
            raise ModelError(f"{path}: sha256 is {actual[:12]}..., model.json says {str(expected)[:12]}...")
    return spec
