"""A head on an encoder that the user has as an ONNX file: from the file and a data set to a model folder.

OUT/            model.json, model.onnx, CARD.md: as any other model folder
WORK/           what it is made of, kept so that a run goes on or a head is trained anew: encoder.onnx (cut, quantised),
                features.onnx, features/ (the store)

The encoder's weights go into these and nowhere else; model.json names the file that they are from by its sha256.
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
from .features import FeatureSpec, build_extractor, extract
from .head import HeadOptions
from .onnx_tower import EncoderFile, OnnxTower, default_taps, open_tower, read_encoder
from .quantisation import Precision, quantise_tower
from .recipe import add_composed, model_facts

CROPS = 1
NORMALISATIONS: Mapping[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # DINOv2, DINOv3
    "siglip": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # SigLIP 2, Perception Encoder
}
Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class OwnEncoder:
    """What the user says of the encoder."""

    path: Path
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    taps: tuple[int | str, ...] = ()  # empty: `default_taps`
    pool: Pool | None = None  # None: the CLS token where there is one
    side: int | None = None  # pixels; None: the file's
    precision: Precision = "float"
    title: str = ""  # default: the file's name


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
    said: Said = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Path:
    """Write the model folder `out`. Raises ModelError, DataError or UsageError; then `out` stays as it was."""
    if out.exists() and any(out.iterdir()) and not (out / "model.json").is_file():
        raise UsageError(f"{out}: is there and is no model folder; name another --out")
    rows = read_index(data)
    file = read_encoder(encoder.path)
    tower = open_tower(file, encoder.taps or default_taps(file), pool=encoder.pool, side=encoder.side)
    said(describe(file, tower))
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
        said(f"source {source} failed: {reason}")
    fitted = fit(rows, work / "features", options or HeadOptions(), said)
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
    layout = tower.layout
    return (
        f"{file.path.name}: {layout.side} x {layout.side} pixels, {len(file.blocks)} blocks, width {layout.width}, "
        f"{layout.grid} x {layout.grid} patches and {layout.prefix} other tokens; taps {_listed(tower.taps)}, "
        f"pooled by {'the CLS token' if layout.pool == 'cls' else 'the mean of the patch tokens'}"
    )


def _listed(taps: Sequence[int | str]) -> str:
    return ", ".join(str(tap) for tap in taps)


def _architecture(encoder: OwnEncoder, tower: OnnxTower) -> str:
    pooled = "CLS tokens" if tower.layout.pool == "cls" else "mean patch tokens"
    return f"{encoder.title or encoder.path.stem} cut behind {_listed(tower.taps)}, an MLP on its {pooled}"


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
    """Make the folder beside `out`, then put it in its place."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    try:
        part.chmod(0o755)  # mkdtemp's own is for its maker alone
        maker = fitted.maker
        compose_tower(tower, fitted.head, part / "model.onnx", maker.head if maker else None)
        if maker:
            maker.sources.save(part / SOURCES_NAME)
        add_composed(facts, part)
        (part / "CARD.md").write_text(write_card(facts), encoding="utf-8")
        made = ["model.onnx", "CARD.md", *([SOURCES_NAME] if maker else [])]
        facts["files"] = {name: file_sha256(part / name) for name in made}
        (part / "model.json").write_text(dump_facts(facts), encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        part.replace(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out
