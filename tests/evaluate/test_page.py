"""HTML report of an evaluation: self-contained, with figures, and without images of private people."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from imageprocess.evaluate.page import render_page
from imageprocess.evaluate.pictures import read_dataset
from imageprocess.evaluate.study import Study, evaluate


@pytest.fixture(scope="module")
def study(small_dataset: Path, tiny_model_dir: Path) -> Study:
    return evaluate(read_dataset(small_dataset), [tiny_model_dir], ["raw", "web"], jobs=1, resamples=20)


def test_report_is_self_contained(study):
    html = render_page(study)
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:)""", html)
    assert "<script" not in html and "@import" not in html and "url(" not in html


def test_report_has_figures_plots_and_errors(study):
    html = render_page(study)
    assert "87.5 %" in html  # 21 of 24
    assert html.count("data:image/svg+xml") == 2 + 4
    for name in ("roc", "precision recall", "reliability diagram", "histogram"):
        assert f'alt="tiny: {name}"' in html
    assert (
        html.count("data:image/jpeg") == 3
    )  # the constructed errors: one false positive, two false negatives
    assert "Real pictures called AI: the surest 1<" in html and "AI pictures missed: the surest 2<" in html


def test_report_omits_images_of_private_people(study):
    hidden = tuple(dataclasses.replace(picture, may_show=False) for picture in study.pictures)
    html = render_page(dataclasses.replace(study, pictures=hidden))
    assert "data:image/jpeg" not in html and html.count(">not shown<") == 3


def test_data_set_names_are_escaped(study):
    odd = tuple(
        dataclasses.replace(picture, origin="<script>alert(1)</script>") for picture in study.pictures
    )
    assert "<script>" not in render_page(dataclasses.replace(study, pictures=odd))


def test_report_with_single_tier_and_no_intervals(small_dataset, tiny_model_dir):
    single = evaluate(read_dataset(small_dataset), [tiny_model_dir], ["web"], jobs=1, resamples=0)
    assert "by tier; the figures" not in render_page(single)
