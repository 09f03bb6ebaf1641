"""A small data set with known errors of the tiny model (bright is AI)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from testkit.pictures import encode


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ai/{g1,g2} and real/{r1,r2}, 6 images each: AI images are bright except two, real ones dark except one."""
    folder = tmp_path_factory.mktemp("drawn")
    rng = np.random.default_rng(0)
    for source in ("ai/g1", "ai/g2", "real/r1", "real/r2"):
        (folder / source).mkdir(parents=True)
        for number in range(6):
            bright = source.startswith("ai") != (
                (source, number) in {("ai/g1", 0), ("ai/g1", 1), ("real/r2", 0)}
            )
            noise = rng.integers(0, 40, (120, 160, 3)) + (190 if bright else 20)
            data = encode(Image.fromarray(noise.astype(np.uint8)), "PNG")
            (folder / source / f"{number}.png").write_bytes(data)
    return folder
