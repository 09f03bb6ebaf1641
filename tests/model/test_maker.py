"""Generator family: when it is named, its wording, and agreement of the graph with training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageprocess.data.categories import GENERATORS
from imageprocess.errors import ModelError
from imageprocess.model.base.maker import Linear8, MakerHead, load_maker
from imageprocess.model.maker import NAMES, maker_detail
from imageprocess.model.nearest import TrainingSources, load_sources
from imageprocess.model.session import Output
from imageprocess.model.spec import ModelSpec, load_spec
from imageprocess.report import words
from imageprocess.types import Evidence, Verdict

MAKER = {"families": ["flux", "midjourney", "other"], "temperature": 2.0, "threshold": 0.6}
LEANS = Verdict("unsure", 0.6, "abstain", "", "leaning_ai")


@pytest.fixture
def spec(tiny_model_dir: Path) -> ModelSpec:
    spec = load_spec(tiny_model_dir)
    return replace(spec, facts={**spec.facts, "maker": MAKER})


def _output(*logits: float) -> Output:
    return Output((1.0, -1.0), None, maker_logits=logits)


def test_likely_generator_family_is_named(spec: ModelSpec) -> None:
    detail = maker_detail([], LEANS, _output(6, 2, 0), spec)
    assert detail is not None
    raised = np.exp([3.0, 1.0, 0.0])
    assert (detail["family"], detail["name"]) == ("flux", "FLUX")
    assert detail["probability"] == pytest.approx(raised[0] / raised.sum(), abs=1e-4)
    assert [one["family"] for one in detail["top3"]] == ["flux", "midjourney", "other"]
    assert "FLUX" in (words.maker(detail) or "") and "84 %" in (words.maker(detail) or "")


@pytest.mark.parametrize("logits", [(1.0, 0.8, 0.0), (0.0, 0.0, 9.0)])
def test_unlikely_or_other_family_is_not_named(spec: ModelSpec, logits: tuple[float, ...]) -> None:
    detail = maker_detail([], LEANS, _output(*logits), spec)
    assert detail is not None and detail["family"] is None and detail["name"] is None
    sentence = words.maker(detail)
    assert sentence is None if logits[2] else sentence is not None and "FLUX, Midjourney" in sentence


def test_no_family_for_real_images_or_known_generator(spec: ModelSpec) -> None:
    sure = _output(9, 0, 0)
    for grade in ("cannot_tell", "leaning_real", "very_likely_real", None):
        assert maker_detail([], replace(LEANS, grade=grade), sure, spec) is None  # type: ignore[arg-type]
    record = Evidence("generator_metadata", "", "unsigned", "ai", {"generator": "ComfyUI"})
    assert maker_detail([record], LEANS, sure, spec) is None
    nameless = Evidence("iptc", "", "unsigned", "ai", {})
    assert maker_detail([nameless], LEANS, sure, spec) is not None


def test_model_without_generator_head_names_no_family(spec: ModelSpec, tiny_model_dir: Path) -> None:
    assert maker_detail([], LEANS, _output(), spec) is None
    assert maker_detail([], LEANS, _output(9, 0, 0), load_spec(tiny_model_dir)) is None


def test_every_learnt_family_has_a_name() -> None:
    assert set(NAMES) == set(GENERATORS) - {"mixed"}


def test_files_round_trip_and_damage_is_reported(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layer = Linear8.of(rng.normal(0, 1, (8, 5)).astype(np.float32), np.ones(5, np.float32))
    head = MakerHead(np.array([0, 2]), layer, np.ones((5, 3), np.float32), np.zeros(3, np.float32), layer)
    head.save(tmp_path / "maker.npz")
    features = rng.normal(0, 1, (4, 8)).astype(np.float32)
    np.testing.assert_array_equal(load_maker(tmp_path / "maker.npz").logits(features), head.logits(features))
    for load, name in ((load_maker, "bad.npz"), (load_sources, "worse.npz")):
        (tmp_path / name).write_bytes(b"no archive")
        with pytest.raises(ModelError, match=name):
            load(tmp_path / name)


def test_nearest_sources_come_first(tmp_path: Path) -> None:
    centroids = np.array([[10, 0], [0, 10], [100, 100]], np.int8)
    sources = TrainingSources(
        np.array(["near", "far", "farther"]), np.array([True, False, False]), np.array(["flux", "", ""]),
        centroids, np.float32(0.1),
    )  # fmt: skip
    sources.save(tmp_path / "sources.npz")
    actual: list[dict[str, Any]] = load_sources(tmp_path / "sources.npz").closest(
        np.array([1.0, 0.1], np.float32), 2
    )
    assert actual == [
        {"source": "near", "label": "ai", "generator": "flux", "distance": 0.1},
        {"source": "far", "label": "real", "distance": 1.35},
    ]
