"""A small data set that a network can learn: noise against smooth gradients, drawn here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageprocess.data.index import IndexRow, write_index


def _draw(label: str, rng: np.random.Generator) -> np.ndarray:
    height, width = rng.integers(210, 300, size=2)
    if label == "ai":
        return rng.integers(0, 256, size=(height, width, 3), dtype=np.uint8)
    ramp = np.linspace(rng.integers(0, 100), rng.integers(150, 255), width)
    return np.broadcast_to(ramp[None, :, None], (height, width, 3)).astype(np.uint8)


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(40):
        label = "ai" if number % 5 < 2 else "real"  # 16 to 24: the sampler has to even that out
        split = ("train", "train", "val", "test", "train")[number // 8]
        path = Path("images") / f"{number}.png"
        (folder / path).parent.mkdir(exist_ok=True)
        pixels = _draw(label, rng)
        Image.fromarray(pixels).save(folder / path)
        data = (folder / path).read_bytes()
        rows.append(
            IndexRow(
                path=path.as_posix(),
                label=label,
                source=f"{label}-{number // 4 % 3}",
                origin="drawn",
                category="test",
                licence="CC0",
                sha256=hashlib.sha256(data).hexdigest(),
                bytes=len(data),
                width=pixels.shape[1],
                height=pixels.shape[0],
                format="PNG",
                jpeg_quality=None,
                split=split,
                group=f"g{number}",
            )
        )
    write_index(folder, rows)
    return folder
