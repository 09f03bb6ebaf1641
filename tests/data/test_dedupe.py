"""The same picture is found again, another one is not."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from imageprocess.data.dedupe import DUPLICATE_BITS, RELATED_BITS, Groups, near_pairs, perceptual_hashes
from testkit.pictures import encode, scene


def hashes(image: Image.Image) -> tuple[int, int]:
    return perceptual_hashes(np.asarray(image.convert("RGB")))


def distance(one: Image.Image, other: Image.Image) -> int:
    """The larger of the two hashes' differences, in bits."""
    return max((a ^ b).bit_count() for a, b in zip(hashes(one), hashes(other), strict=True))


def again(image: Image.Image, form: str, **options: object) -> Image.Image:
    return Image.open(io.BytesIO(encode(image, form, **options))).convert("RGB")


@pytest.mark.parametrize("seed", range(5))
def test_re_encoded_and_resized_copies_are_duplicates(seed: int) -> None:
    original = scene(seed, 640, 480)
    copies = [
        again(original, "JPEG", quality=40),
        again(original, "WEBP", quality=40),
        original.resize((200, 150), Image.Resampling.LANCZOS),
        original.resize((1000, 750), Image.Resampling.BILINEAR),
        original.resize((400, 400)),  # squashed
    ]
    assert max(distance(original, copy) for copy in copies) <= DUPLICATE_BITS


@pytest.mark.parametrize("seed", range(5))
def test_variants_are_related(seed: int) -> None:
    original = scene(seed, 640, 480)
    variants = [ImageEnhance.Brightness(original).enhance(0.8), original.crop((8, 6, 632, 474))]
    assert max(distance(original, variant) for variant in variants) <= RELATED_BITS


def test_different_pictures_are_unrelated() -> None:
    pictures = [scene(seed) for seed in range(40)]
    assert min(distance(a, b) for a, b in itertools.combinations(pictures, 2)) > RELATED_BITS


@given(st.integers(0, 700), st.integers(0, 64), st.integers(0, 2**31))
def test_near_pairs_equals_brute_force(count: int, bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**64, size=5, dtype=np.uint64)  # so that there are pairs to find
    flips = np.uint64(1) << rng.integers(0, 64, size=(count, 2), dtype=np.uint64)
    chosen = centres[rng.integers(0, 5, size=(count, 2))] ^ flips
    pairs = [(int(p), int(d)) for p, d in chosen[:60]] + [(int(p), int(d)) for p, d in chosen[-1:]]
    expected = {
        (i, j)
        for (i, a), (j, b) in itertools.combinations(enumerate(pairs), 2)
        if (a[0] ^ b[0]).bit_count() <= bits and (a[1] ^ b[1]).bit_count() <= bits
    }
    assert set(near_pairs(pairs, bits)) == expected


def test_near_pairs_across_its_blocks() -> None:
    rng = np.random.default_rng(0)
    pairs = [(int(p), int(d)) for p, d in rng.integers(0, 2**64, size=(1300, 2), dtype=np.uint64)]
    pairs[1299] = pairs[3]
    pairs[600] = (pairs[700][0] ^ 1, pairs[700][1])
    assert list(near_pairs(pairs, 2)) == [(3, 1299), (600, 700)]


def test_groups_are_named_by_their_first_member() -> None:
    groups = Groups(6)
    for i, j in ((4, 5), (2, 4), (5, 1)):
        groups.join(i, j)
    assert [groups.find(i) for i in range(6)] == [0, 1, 1, 3, 1, 1]
