"""What a file says of itself before anyone looks at the picture.

None of this should tell an AI's picture from a real one; `audit` measures whether it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

# ITU-T T.81 (1992), Annex K.1, table K.1: the example luminance table, in natural (row by row) order.
_ANNEX_K_LUMA = np.array(
    [
        16, 11, 10, 16, 24, 40, 51, 61,
        12, 12, 14, 19, 26, 58, 60, 55,
        14, 13, 16, 24, 40, 57, 69, 56,
        14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77,
        24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101,
        72, 92, 95, 98, 112, 100, 103, 99,
    ],
    dtype=np.int64,
)  # (64,)  # fmt: skip


def _libjpeg_luma_tables() -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """-> (100, 64): row q - 1 is the luma table that libjpeg writes at quality q.

    jcparam.c, jpeg_quality_scaling: scale = 5000 / q below 50, else 200 - 2 q, in percent;
    jpeg_add_quant_table: (base * scale + 50) / 100 in integers, kept within 1 to 255 (baseline).
    """
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((_ANNEX_K_LUMA[None, :] * scale[:, None] + 50) // 100, 1, 255)


_LUMA_TABLES = _libjpeg_luma_tables()


def estimate_jpeg_quality(tables: Mapping[int, Sequence[int]] | None) -> int | None:
    """The libjpeg quality (1 to 100) whose luma table lies nearest to the picture's; None without tables.

    `tables` is Pillow's `image.quantization` (natural order since Pillow 8.3). Exact for files written by
    libjpeg and its kin; for an encoder with tables of its own (Photoshop, cameras) the nearest on that scale.
    """
    if not tables or len(tables.get(0, ())) != 64:
        return None
    luma = np.asarray(tables[0], dtype=np.int64)
    return int(np.abs(_LUMA_TABLES - luma).sum(axis=1).argmin()) + 1
