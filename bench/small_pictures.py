"""Accuracy of the encoder model on images of open_test, downscaled to several long sides.

python -m bench.small_pictures DATA     writes the table between the markers in docs/encoder.md

Every image is downscaled with Lanczos and saved as JPEG 90. Below the minimum training size only `best-guess` gives
an answer; the other modes abstain.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from sklearn.metrics import roc_auc_score

from bench.markers import write_between
from imageprocess.data.tiers import open_original
from imageprocess.errors import InputError
from imageprocess.evaluate.pictures import Picture, read_dataset
from imageprocess.model import registry
from imageprocess.model.calibrate import probability_ai
from imageprocess.model.session import Session

ROOT = Path(__file__).parents[1]
SIDES = (96, 128, 160, 200, 256, 320, 480, 640)  # px
PER_SOURCE = 4


def main(data: Path) -> None:
    session = Session(registry.resolve("clip"))
    pictures = read_dataset(data, "open_test", per_source=PER_SOURCE).pictures
    rows = [
        (picture, chances)
        for picture in track(pictures, description="judging")
        if (chances := _judge(picture, session)) is not None
    ]
    write_between(ROOT / "docs" / "encoder.md", "small", "\n".join(_table(rows, session)))


def _judge(picture: Picture, session: Session) -> list[float] | None:
    """The probability of AI at each of SIDES; None if the image is unreadable or smaller than the largest side."""
    try:
        pixels = open_original(picture.path.read_bytes(), picture.path.name).pixels
    except InputError:
        return None
    if max(pixels.shape[:2]) < SIDES[-1]:
        return None
    outputs = [session.run([session.prepare(_reduced(pixels, side))])[0].logits for side in SIDES]
    spec = session.spec
    return [probability_ai(ai - real, spec.temperature, spec.bias) for ai, real in outputs]


def _reduced(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return np.asarray(Image.open(stream))


def _table(rows: list[tuple[Picture, list[float]]], session: Session) -> list[str]:
    is_ai = np.array([picture.is_ai for picture, _ in rows])
    source = np.array([picture.source for picture, _ in rows])
    chances = np.array([values for _, values in rows])
    _, index, counts = np.unique(source, return_inverse=True, return_counts=True)
    weights = 1 / counts[index]
    cut = session.spec.thresholds["balanced"]
    lines = [
        f"{is_ai.sum()} AI and {(~is_ai).sum()} real pictures of {len(counts)} sources of open_test, at least "
        f"{SIDES[-1]} px long. Trained on pictures of {session.spec.smallest_px} px and more.",
        "",
        "| long side | AUROC, sources alike | coverage (balanced thresholds) | FPR | AI called real |",
        "|---|---|---|---|---|",
    ]
    for side, values in zip(SIDES, chances.T, strict=True):
        called_ai, called_real = values >= cut.ai, values <= cut.real
        lines.append(
            f"| {side} px | {roc_auc_score(is_ai, values, sample_weight=weights):.3f} "
            f"| {(called_ai | called_real).mean():.0%} | {called_ai[~is_ai].mean():.1%} "
            f"| {called_real[is_ai].mean():.1%} |"
        )
    return lines


if __name__ == "__main__":
    main(Path(sys.argv[1]))
