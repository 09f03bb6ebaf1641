"""Write a recipe: a model folder without the graph, from which `model get` composes the model."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...model.base.adapter import FILE_NAME, read_adapted
from ...model.base.compose import compose
from ...model.base.head import Head
from ...model.base.known_answers import answers
from ...model.base.maker import FILE_NAME as MAKER_NAME
from ...model.base.maker import OUTPUTS as MAKER_OUTPUTS
from ...model.base.quantise import load_quantisation
from ...model.base.tensors import read_tensors
from ...model.nearest import FILE_NAME as SOURCES_NAME
from ...model.registry import file_sha256
from ...model.session import Session
from ...model.spec import CLASSES, SCHEMA, InputSpec, dump_facts
from ..calibration import Calibration
from .card import write_card
from .maker import Maker

_OTHER_FILES = ("NOTICE", "CARD.md")


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """Everything in a recipe folder but the quantisation of the encoder."""

    name: str
    version: str
    base: Mapping[str, Any]  # `base` of model.json
    input: InputSpec
    crops: int  # views besides the whole picture
    head: Head
    calibration: Calibration
    training: Mapping[str, Any]
    adapter: Path | None = None  # merged into the encoder before it is quantised
    maker: Maker | None = None


def write_recipe(folder: Path, recipe: Recipe, encoder: Path, quantisation: Path) -> None:
    """Write `folder`. The model is composed once from the file `encoder`, for its size and its known answers, and not
    stored; `quantisation`: the file that `ranges.fit_quantisation` wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe.head.save(folder / "head.npz")
    if quantisation.resolve() != (folder / "quantisation.npz").resolve():
        shutil.copyfile(quantisation, folder / "quantisation.npz")
    if recipe.adapter and recipe.adapter.resolve() != (folder / FILE_NAME).resolve():
        shutil.copyfile(recipe.adapter, folder / FILE_NAME)
    if recipe.maker:
        recipe.maker.head.save(folder / MAKER_NAME)
        recipe.maker.sources.save(folder / SOURCES_NAME)
    facts = _facts(recipe)
    with tempfile.TemporaryDirectory() as temporary:
        tensors, layers = read_adapted(read_tensors(encoder), recipe.adapter), load_quantisation(quantisation)
        maker = recipe.maker.head if recipe.maker else None
        graph = Path(temporary) / "model.onnx"
        compose(tensors, list(recipe.base["taps"]), recipe.head, layers, graph, maker)
        add_composed(facts, Path(temporary))
    (folder / "CARD.md").write_text(write_card(facts), encoding="utf-8")
    written = ["head.npz", "quantisation.npz", *([FILE_NAME] if recipe.adapter else [])]
    written += [MAKER_NAME, SOURCES_NAME] if recipe.maker else []
    names = [*written, *(name for name in _OTHER_FILES if (folder / name).is_file())]
    facts["files"] = {name: file_sha256(folder / name) for name in names}
    (folder / "model.json").write_text(dump_facts(facts), encoding="utf-8")


def add_composed(facts: dict[str, Any], folder: Path) -> None:
    """Add the size and the known answers of `folder`/model.onnx to `facts`. Writes a temporary `folder`/model.json."""
    graph = folder / "model.onnx"
    facts["composed_bytes"] = graph.stat().st_size
    complete = {**facts, "files": {"model.onnx": file_sha256(graph)}}
    (folder / "model.json").write_text(dump_facts(complete), encoding="utf-8")
    facts["known_answers"] = answers(Session(folder, threads=1))


def _facts(recipe: Recipe) -> dict[str, Any]:
    title, taps = recipe.base["title"], recipe.base["taps"]
    architecture = f"{title} cut after block {taps[-1]}, an MLP on its CLS tokens"
    facts = model_facts(
        recipe.name,
        recipe.version,
        architecture,
        recipe.input,
        recipe.crops,
        recipe.calibration,
        recipe.training,
        recipe.maker,
    )
    return {**facts, "base": dict(recipe.base), **({"adapted": True} if recipe.adapter else {})}


def model_facts(
    name: str,
    version: str,
    architecture: str,
    spec: InputSpec,
    crops: int,
    calibration: Calibration,
    training: Mapping[str, Any],
    maker: Maker | None = None,
) -> dict[str, Any]:
    """model.json of a head on an encoder, without the keys on the encoder's origin and without `files`."""
    return {
        "schema": SCHEMA,
        "name": name,
        "version": version,
        "architecture": architecture,
        "classes": list(CLASSES),
        "input": {
            "width": spec.width,
            "height": spec.height,
            "filter": spec.filter,
            "mean": list(spec.mean),
            "std": list(spec.std),
        },
        "views": {"crops": crops},
        "outputs": ["logits", "view_logits", "heatmap", *(MAKER_OUTPUTS if maker else ())],
        "calibration": calibration.facts(),
        "thresholds": calibration.thresholds,
        "training": dict(training),
        **({"maker": maker.facts} if maker else {}),
    }
