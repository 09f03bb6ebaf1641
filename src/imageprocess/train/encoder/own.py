"""`train --encoder`: a head on a user's encoder, from its ONNX file and a data set to a model folder.

OUT/            the model folder: model.json, model.onnx, CARD.md
WORK/           intermediate files, from which an interrupted run continues and other heads can be trained: encoder.onnx
                (cut, quantised), features.onnx, features/ (the feature store)

The encoder's weights are written to these two folders only; model.json identifies the encoder by its SHA-256.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data.index import read_index
from ...errors import UsageError
from ...model.base.compose import compose_tower
from ...model.base.tower import Pool
from ...model.nearest import FILE_NAME as SOURCES_NAME
from ...model.registry import file_sha256
from ...model.spec import InputSpec, dump_facts
from .card import write_card
from .command import Fitted, fit
from .cut_onnx import EncoderFile, OnnxTower, default_taps, open_tower, read_encoder
from .features import FeatureSpec, build_extractor, extract
from .head import HeadOptions
from .quantisation import Precision, quantise_tower
from .recipe import add_composed, model_facts

CROPS = 1
NORMALISATIONS: Mapping[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # DINOv2, DINOv3
    "siglip": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # SigLIP 2, Perception Encoder
}
Message = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class OwnEncoder:
    """The user's options for the encoder."""

    path: Path
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    taps: tuple[int | str, ...] = ()  # block numbers or names of tensors; empty: `default_taps`
    pool: Pool | None = None  # None: the CLS token if there is one, else the mean of the patch tokens
    side: int | None = None  # input size in pixels; None: that of the file
    precision: Precision = "float"
    title: str = ""  # "": the file's name


def train_on(
    encoder: OwnEncoder,
    data: Path,
    out: Path,
    work: Path,
    *,
    name: str,
    version: str,
    per_source: int | None = None,
    jobs: int = 2,
    options: HeadOptions | None = None,
    message: Message = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Path:
    """Write the model folder `out` atomically. -> its resolved path

    `per_source`: maximum number of images of each class of a source; `message`: called with lines for the user;
    `progress`: (files of features done, of). Raises ModelError, DataError or UsageError.
    """
    if out.exists() and any(out.iterdir()) and not (out / "model.json").is_file():
        raise UsageError(f"{out}: exists and is not a model folder; choose another --out")
    rows = read_index(data)
    file = read_encoder(encoder.path)
    tower = open_tower(file, encoder.taps or default_taps(file), pool=encoder.pool, side=encoder.side)
    message(describe(file, tower))
    side = tower.layout.side
    spec = InputSpec(side, side, "bicubic", encoder.mean, encoder.std)
    work.mkdir(parents=True, exist_ok=True)
    tower = quantise_tower(tower, encoder.precision, data, rows, spec, work / "encoder.onnx")
    build_extractor(tower, work / "features.onnx")
    digest = file_sha256(encoder.path)
    features = FeatureSpec(
        digest, file_sha256(work / "encoder.onnx"), tower.taps, spec, CROPS, pool=tower.layout.pool
    )
    failed = extract(
        data, work / "features", work / "features.onnx", features,
        per_source=per_source, jobs=jobs, progress=progress,
    )  # fmt: skip
    for source, reason in failed.items():
        message(f"source {source} failed: {reason}")
    fitted = fit(rows, work / "features", options or HeadOptions(), message)
    facts = {
        **model_facts(
            name,
            version,
            _architecture(encoder, tower),
            spec,
            CROPS,
            fitted.calibration,
            fitted.training,
            fitted.maker,
        ),
        "encoder": _encoder_facts(encoder, tower, digest),
    }
    return _write(out, tower, fitted, facts)


def describe(file: EncoderFile, tower: OnnxTower) -> str:
    """One line for the user on the encoder, its taps and its pooling."""
    layout = tower.layout
    return (
        f"{file.path.name}: {layout.side} x {layout.side} pixels, {len(file.blocks)} blocks, width {layout.width}, "
        f"{layout.grid} x {layout.grid} patches, {layout.prefix} other tokens; taps {_join(tower.taps)}, "
        f"pooled by {'the CLS token' if layout.pool == 'cls' else 'the mean of the patch tokens'}"
    )


def _join(taps: Sequence[int | str]) -> str:
    return ", ".join(str(tap) for tap in taps)


def _architecture(encoder: OwnEncoder, tower: OnnxTower) -> str:
    pooled = "CLS tokens" if tower.layout.pool == "cls" else "mean patch tokens"
    return f"{encoder.title or encoder.path.stem} cut after {_join(tower.taps)}, an MLP on its {pooled}"


def _encoder_facts(encoder: OwnEncoder, tower: OnnxTower, digest: str) -> dict[str, Any]:
    """`encoder` of model.json."""
    return {
        "title": encoder.title or encoder.path.stem,
        "file": encoder.path.name,
        "sha256": digest,
        "taps": list(tower.taps),
        "pool": tower.layout.pool,
        "tokens_before_patches": tower.layout.prefix,
        "precision": encoder.precision,
    }


def _write(out: Path, tower: OnnxTower, fitted: Fitted, facts: dict[str, Any]) -> Path:
    """Write a temporary folder beside `out`, then replace `out` by it."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    try:
        part.chmod(0o755)  # mkdtemp creates it with 0700
        maker = fitted.maker
        compose_tower(tower, fitted.head, part / "model.onnx", maker.head if maker else None)
        if maker:
            maker.sources.save(part / SOURCES_NAME)
        add_composed(facts, part)
        (part / "CARD.md").write_text(write_card(facts), encoding="utf-8")
        names = ["model.onnx", "CARD.md", *([SOURCES_NAME] if maker else [])]
        facts["files"] = {name: file_sha256(part / name) for name in names}
        (part / "model.json").write_text(dump_facts(facts), encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        part.replace(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out
