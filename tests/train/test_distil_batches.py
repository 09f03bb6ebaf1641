"""Batches of the student: images are mixed together with their targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imageprocess.train.distil.batches import Batch, correct_by_label, mix

pytestmark = pytest.mark.torch


def test_mixup_mixes_labelled_images_with_one_another_and_the_others_too() -> None:
    """Three labelled images and two others, of two views; the value of each image is its number."""
    number = torch.arange(5.0)
    batch = Batch(
        views=number.repeat_interleave(2)[:, None, None, None].expand(10, 3, 4, 4),
        labels=torch.tensor([1.0, 0.0, 0.0]),
        teacher=10 * number,
        teacher_cls=number[:, None, None].expand(5, 2, 7),
    )
    mixed = mix(batch, torch.tensor([0.75, 0.5, 1.0, 0.25, 0.0]))
    # partners: 0 with 2, 1 with itself, 3 with 4
    expected = torch.tensor([0.5, 1.0, 2.0, 3.75, 3.0])
    torch.testing.assert_close(mixed.teacher, 10 * expected)
    torch.testing.assert_close(mixed.labels, torch.tensor([0.75, 0.0, 0.0]))
    torch.testing.assert_close(mixed.views[:, 2, 1, 3], expected.repeat_interleave(2))
    torch.testing.assert_close(mixed.teacher_cls[:, 1, 6], expected)
    assert mixed.views.is_contiguous(memory_format=torch.channels_last)


def test_a_teacher_that_contradicts_the_label_is_replaced_by_uncertainty() -> None:
    teacher = np.array([2.0, -1.5, 3.0, -4.0], np.float32)
    is_ai = np.array([True, True, False, False])
    corrected = correct_by_label(teacher, is_ai)
    assert corrected.tolist() == [2.0, 0.0, 0.0, -4.0]
    assert corrected.dtype == np.float32
