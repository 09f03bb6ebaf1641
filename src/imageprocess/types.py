"""The data types of the pipeline: bytes -> DecodedImage -> [Evidence] -> Verdict -> report.

Each is a frozen dataclass. This module imports nothing of the package, except in Result.to_dict, and nothing heavy at
run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Label = Literal["ai", "real", "unsure"]
LABELS: tuple[Label, ...] = get_args(Label)
# Strength of a verdict, independent of the mode; `label` gives the side, or "unsure" if the mode requires more.
Grade = Literal[
    "very_likely_ai",
    "likely_ai",
    "leaning_ai",
    "cannot_tell",
    "leaning_real",
    "likely_real",
    "very_likely_real",
]
Mode = Literal["high-confidence", "balanced", "best-guess"]
Status = Literal["ok", "error"]
DecidedBy = Literal["c2pa", "watermark", "metadata", "model", "abstain"]
EvidenceKind = Literal["c2pa", "iptc", "generator_metadata", "exif", "watermark", "model"]
Trust = Literal["trusted", "valid_untrusted", "broken", "unsigned", "measured"]
# What an item of evidence points to: made by an AI, a real picture edited with an AI, made by a camera or by hand, or
# nothing.
PointsTo = Literal["ai", "ai_edited", "real", "nothing"]
# The checks to run (`--only`).
Check = Literal["provenance", "watermark", "model"]

GRADES: tuple[Grade, ...] = get_args(Grade)
MODES: tuple[Mode, ...] = get_args(Mode)
CHECKS: tuple[Check, ...] = get_args(Check)
RECORD_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Source:
    """One input: its name in the record, and either its bytes or where to read them."""

    name: str
    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None
    uri: str | None = None  # s3://bucket/key and the like, read through fsspec


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Properties of the file. `width` and `height` are in pixels, after applying the EXIF orientation."""

    format: str  # "JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "HEIC"
    width: int
    height: int
    frames: int
    bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """The first frame as displayed: sRGB assumed, EXIF orientation applied, alpha composited over white."""

    facts: ImageFacts
    pixels: NDArray[np.uint8] = field(repr=False)  # (H, W, 3) uint8
    alpha: NDArray[np.uint8] | None = field(
        default=None, repr=False
    )  # (H, W) uint8 as stored, None without alpha
    chroma_step: float | None = (
        None  # mean chroma quantisation step of a 4:2:0 JPEG, see decode/jpeg.py; else None
    )
    reduction: int = (
        1  # factor by which width and height were reduced in decoding; above 1 only for huge images
    )
    note: str | None = None  # a sentence about how the pixels were read, for the verdict's reason


@dataclass(frozen=True, slots=True)
class Evidence:
    """One item of evidence. `claim` is a sentence for people, `detail` the same as data."""

    kind: EvidenceKind
    claim: str
    trust: Trust
    points_to: PointsTo = "nothing"
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """probability_ai >= ai is "ai", <= real is "real", between them "unsure"."""

    ai: float
    real: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision. `probability_ai` is the model's calibrated probability if the model decides or abstains; 1.0 or 0.0
    if a trusted signature or a watermark decides (a statement that is believed, not an estimate); the measured share
    of true records if an unsigned record decides, or None if other evidence contradicts that record. The model's
    estimate is in its evidence in each case."""

    label: Label
    probability_ai: float | None
    decided_by: DecidedBy
    reason: str
    grade: Grade | None = None  # None only in Verdicts that other code constructs
    advice: tuple[
        str, ...
    ] = ()  # recommended next steps: identifiers of texts (web/assets/texts, "advice.NAME")
    # Measured accuracy of this grade of this model, see evaluate/grades.py; None: not measured, or the model did not
    # give the grade.
    measured: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    name: str
    version: str
    sha256: str  # of model.onnx, 64 hexadecimal digits


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    code: str  # see errors.py
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The result of one input. `status == "ok"`: all fields but `error` are set (`model` only if it was run).
    `status == "error"`: only `source` and `error` are set."""

    source: str
    status: Status
    sha256: str | None = None
    image: ImageFacts | None = None
    verdict: Verdict | None = None
    evidence: tuple[Evidence, ...] = ()
    model: ModelInfo | None = None
    elapsed_ms: float | None = None
    error: ErrorInfo | None = None
    heatmap: NDArray[np.float32] | None = field(
        default=None, repr=False
    )  # (h, w) float32, 0 to 1; not in the record

    def to_dict(self) -> dict[str, Any]:
        """The public record, as the command line and the service write it: plain dicts, lists, texts and numbers."""
        from .report.records import to_record

        return to_record(self)
