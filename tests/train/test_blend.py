"""A blend trained on a small drawn set, exported, and run as the product runs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from imageprocess.data.index import IndexRow, read_index
from imageprocess.errors import DataError, ModelError, UsageError
from imageprocess.model.spec import load_spec
from imageprocess.train import blend
from imageprocess.train.blend import BlendRecipe, BlendResult, train_blend
from imageprocess.train.dataset import source_weights
from imageprocess.train.export import export, load_network
from imageprocess.train.forest import Growth
from imageprocess.train.loop import train
from imageprocess.train.nets import CNN, Glance
from imageprocess.train.recipes import Recipe

RECIPE = BlendRecipe(deliveries=2, growth=Growth(trees=10, least=2, columns=0.2), folds=2)


@pytest.fixture(scope="module")
def blended(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BlendResult]:
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp("blend")
    return out, train_blend(drawn_data, out, [CNN().eval(), Glance().eval()], RECIPE, workers=0)


def test_it_tells_noise_from_gradients_where_the_cnn_has_learnt_nothing(blended) -> None:  # type: ignore[no-untyped-def]
    _, result = blended
    assert result.measured["val_auroc_forest"] == 1.0
    assert result.measured["val_accuracy_blend"] == 1.0
    assert result.measured["unseen_sources_auroc_forest"] == 1.0


def test_a_run_that_begins_anew_reads_its_statistics_and_its_forest(blended, drawn_data: Path) -> None:  # type: ignore[no-untyped-def]
    out, result = blended
    assert len(list(out.glob("statistics-*.npy"))) == 1 + RECIPE.deliveries + RECIPE.varied
    told: list[str] = []
    torch.manual_seed(0)
    again = train_blend(
        drawn_data,
        out,
        [CNN().eval(), Glance().eval()],
        RECIPE,
        workers=0,
        progress=lambda what, *at: told.append(what),
    )
    assert not any("statistics" in what or "forest" in what for what in told)
    assert again.measured == result.measured


def test_pictures_in_another_order_or_of_other_sources_are_not_taken_for_those(  # type: ignore[no-untyped-def]
    blended, drawn_data: Path
) -> None:
    out, result = blended
    rows = read_index(drawn_data)
    torch.manual_seed(0)
    turned = train_blend(drawn_data, out, [CNN(), Glance()], RECIPE, workers=0, rows=rows[::-1])
    assert turned.measured["val_auroc_forest"] == result.measured["val_auroc_forest"] == 1.0
    told: list[str] = []
    renamed = [replace(row, source=f"{row.label}-{number % 2}") for number, row in enumerate(rows)]
    train_blend(
        drawn_data,
        out,
        [CNN(), Glance()],
        RECIPE,
        workers=0,
        rows=renamed,
        progress=lambda what, *at: told.append(what),
    )
    assert "growing the forest" in told


def test_a_folder_without_sources_is_calibrated_on_groups(drawn_data: Path, tmp_path: Path) -> None:
    rows = [replace(row, source=row.label) for row in read_index(drawn_data)]
    result = train_blend(drawn_data, tmp_path, [Glance().eval()], RECIPE, workers=0, rows=rows)
    assert "2 folds of groups unseen" in result.calibration.fitted_on
    assert result.measured["unseen_groups_auroc_forest"] == 1.0
    with pytest.raises(DataError, match="2 folds of sources need 2 sources of either class"):
        blind = replace(RECIPE, blind=(Recipe(net="glance", epochs=1, deliveries=1),))
        train_blend(drawn_data, tmp_path, [Glance().eval()], blind, workers=0, rows=rows)


def test_networks_trained_again_are_asked_about_sources_that_they_have_not_seen(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[set[str]] = []
    asked: list[set[str]] = []

    def spied_train(data: Path, out: Path, recipe: Recipe, *, rows: list[IndexRow], **options: Any) -> Any:
        taught.append({row.source for row in rows})
        return train(data, out, recipe, rows=rows, **options)

    def spied_ask(network: Any, pictures: Any, workers: int) -> Any:
        asked.append({row.source for row in pictures.rows})
        return ask(network, pictures, workers)

    ask = blend._ask
    monkeypatch.setattr(blend, "train", spied_train)
    monkeypatch.setattr(blend, "_ask", spied_ask)
    recipe = replace(RECIPE, blind=(Recipe(net="glance", epochs=1, deliveries=1),))
    result = train_blend(drawn_data, tmp_path, [Glance().eval()], recipe, workers=0)
    _on_validation, *on_folds = asked
    assert len(taught) == len(on_folds) == RECIPE.folds
    assert all(not seen & unseen for seen, unseen in zip(taught, on_folds, strict=True))
    assert set.union(*on_folds) == {row.source for row in read_index(drawn_data) if row.split == "train"}
    assert (
        0 <= result.measured["unseen_sources_auroc_glance"] <= result.measured["unseen_sources_auroc_blend"]
    )
    assert result.calibration.temperature == 1
    assert result.calibration.fitted_on.endswith("unseen by every member")
    again = train_blend(drawn_data, tmp_path, [Glance().eval()], recipe, workers=0)
    assert again.measured["unseen_sources_auroc_glance"] == result.measured["unseen_sources_auroc_glance"]


def test_each_network_needs_a_recipe_to_be_trained_again_by(drawn_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 networks, but 1 recipes"):
        train_blend(drawn_data, tmp_path, [CNN(), Glance()], replace(RECIPE, blind=(Recipe(),)), workers=0)


def test_the_exported_graph_says_what_the_network_says(blended, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    _, result = blended
    folder = export(result, tmp_path / "blend")
    spec = load_spec(folder)
    assert (spec.name, spec.has_heatmap) == ("blend", True)
    assert set(spec.facts["files"]) == {"model.onnx"}
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    pixels = torch.rand(20, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        expected, expected_map = result.network(pixels)
    logits, heatmap = session.run(None, {"pixels": pixels.numpy()})
    # Large weights are kept in 8 or 16 bits; the forest's tables are exact.
    np.testing.assert_allclose(logits, expected.numpy(), atol=5e-3)
    np.testing.assert_allclose(heatmap, expected_map.numpy(), atol=5e-3)


def test_convolutions_are_kept_in_eight_bits_and_put_back_when_the_graph_is_loaded(
    blended, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    _, result = blended
    path = export(result, tmp_path / "blend") / "model.onnx"
    kept = {weight.name: weight.data_type for weight in onnx.load(path).graph.initializer}
    wide = [values.numel() for values in result.network.parameters() if values.dim() == 4]
    assert sum(type_ == onnx.TensorProto.INT8 for type_ in kept.values()) == sum(n >= 1024 for n in wide)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    loaded = onnx.load(tmp_path / "loaded.onnx").graph
    assert not any(weight.data_type == onnx.TensorProto.INT8 for weight in loaded.initializer)


def test_a_source_weighs_as_the_root_of_its_size_and_both_classes_alike(drawn_data: Path) -> None:
    row = read_index(drawn_data)[0]
    sizes = {("ai", "large"): 90, ("ai", "small"): 10, ("real", "other"): 400}
    rows = [
        replace(row, label=label, source=source)
        for (label, source), size in sizes.items()
        for _ in range(size)
    ]
    weights = source_weights(rows)
    of = {source: weights[[r.source == source for r in rows]].sum() for _, source in sizes}
    assert of["large"] / of["small"] == pytest.approx(3)
    assert of["large"] + of["small"] == pytest.approx(of["other"])
    assert weights.mean() == pytest.approx(1)


def test_a_set_without_validation_and_a_folder_without_weights_are_refused(
    drawn_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="not a model folder"):
        load_network(tmp_path)
    with pytest.raises(DataError, match="val split"):
        train_blend(
            drawn_data,
            tmp_path,
            [CNN()],
            rows=[row for row in read_index(drawn_data) if row.split == "train"],
            workers=0,
        )
