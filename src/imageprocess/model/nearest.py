"""Finds the training sources with the closest features. This is similarity as seen by the encoder, not proof of origin.

sources.npz    names (S,), is_ai (S,), generators (S,) families or "" for real pictures; centroids (S, E) int8 and scale
               (): the mean embedding of each training source. Distances are in units of the median distance of a
               training picture to the centroid of its own source.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError

FILE_NAME = "sources.npz"


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSources:
    names: NDArray[np.str_]  # (S,)
    is_ai: NDArray[np.bool_]  # (S,)
    generators: NDArray[np.str_]  # (S,)
    centroids: NDArray[np.int8]  # (S, E)
    scale: np.float32

    def save(self, path: Path) -> None:
        np.savez_compressed(
            path, names=self.names, is_ai=self.is_ai, generators=self.generators, centroids=self.centroids,
            scale=self.scale,
        )  # fmt: skip

    def distances(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """embedding (E,) -> distance to each source (S,), in units of the median distance (see above)"""
        return np.asarray(
            np.linalg.norm(self.centroids.astype(np.float32) * self.scale - embedding, axis=1), np.float32
        )

    def closest(self, embedding: NDArray[np.float32], count: int) -> list[dict[str, Any]]:
        """The `count` closest sources, as `detail.explain.closest_sources` lists them."""
        distances = self.distances(embedding)
        return [
            {
                "source": str(self.names[index]),
                "label": "ai" if self.is_ai[index] else "real",
                **({"generator": str(self.generators[index])} if self.generators[index] else {}),
                "distance": round(float(distances[index]), 2),
            }
            for index in np.argsort(distances, kind="stable")[:count]
        ]


def load_sources(path: Path) -> TrainingSources:
    """Read sources.npz. Raises ModelError if the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return TrainingSources(
                arrays["names"], arrays["is_ai"], arrays["generators"], arrays["centroids"],
                np.float32(arrays["scale"]),
            )  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read as training sources ({error})") from error
