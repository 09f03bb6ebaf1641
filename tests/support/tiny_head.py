"""A head of random weights for tests."""

from __future__ import annotations

import numpy as np

from imageprocess.model.base.head import Head

HIDDEN = 6


def random_head(features: int) -> Head:
    rng = np.random.default_rng(5)
    return Head(
        hidden=rng.integers(-127, 128, (2, features, HIDDEN)).astype(np.int8),
        hidden_scale=np.full(HIDDEN, 0.001, np.float32),
        hidden_bias=rng.normal(0, 0.1, HIDDEN).astype(np.float32),
        output=rng.normal(0, 1, HIDDEN).astype(np.float32),
        output_bias=np.float32(0.3),
        patches=rng.normal(0, 0.1, features).astype(np.float32),
        patches_bias=np.float32(-0.2),
    )
