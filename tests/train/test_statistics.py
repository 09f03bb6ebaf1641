from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from imageprocess.train.statistics import Statistics, cosine_basis


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    """Grey, noise, the same noise blurred."""
    noise = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    blurred = functional.avg_pool2d(noise, 9, stride=1, padding=4, count_include_pad=False)
    return torch.cat([torch.full_like(noise, 0.5), noise, blurred])


def test_the_filters_are_orthonormal_and_blind_to_brightness() -> None:
    basis, orders = cosine_basis(4)
    flat = basis.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(15), atol=1e-6, rtol=0)
    assert flat.sum(1).abs().max() < 1e-6
    assert (0, 0) not in orders and len(orders) == 15


def test_as_many_finite_numbers_as_it_says(pictures: torch.Tensor) -> None:
    found = Statistics()(pictures)
    assert found.shape == (3, Statistics.COUNT)
    assert found.isfinite().all()


def test_a_flat_picture_has_no_energy_and_noise_has_more_than_blurred_noise(pictures: torch.Tensor) -> None:
    energy = Statistics()(pictures)[:, :25]  # the means of the log magnitudes at the finest scale
    torch.testing.assert_close(energy[0], torch.full((25,), math.log(2e-3)), atol=2e-3, rtol=0)
    assert (energy[1] > energy[2]).all() and (energy[2] > energy[0]).all()


def test_a_picture_is_described_whatever_lies_beside_it(pictures: torch.Tensor) -> None:
    front = Statistics()
    torch.testing.assert_close(
        front(pictures)[1:2], front(pictures[1:2]), atol=1.1 / 1024, rtol=0
    )  # one step


def test_the_last_digits_of_a_runtime_do_not_show(pictures: torch.Tensor) -> None:
    """A flat picture's statistics all lie on a few values; noise in the last digits must leave them there."""
    flat = pictures[:1]
    noise = torch.randn(flat.shape, generator=torch.Generator().manual_seed(1)) * 1e-7
    torch.testing.assert_close(Statistics()(flat + noise), Statistics()(flat), atol=0, rtol=0)
