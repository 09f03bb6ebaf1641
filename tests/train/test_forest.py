"""The walk through the tables against LightGBM's own, and against ONNX Runtime's."""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime
import pytest
import torch

from imageprocess.train.forest import Forest, Growth, grow, tables_of

GROWTH = Growth(trees=80, learning_rate=0.2, leaves=12, depth=5, columns=0.5, least=5)


@pytest.fixture(scope="module")
def learnt() -> tuple[np.ndarray, np.ndarray, Forest]:
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(2000, 8)).astype(np.float32)
    is_ai = (columns[:, 0] * columns[:, 1] > 0) ^ (columns[:, 2] > 1)
    return columns, is_ai, grow(columns, is_ai, np.ones(2000), GROWTH, seed=0, threads=1)


def test_it_learns_what_no_line_separates(learnt) -> None:  # type: ignore[no-untyped-def]
    columns, is_ai, forest = learnt
    assert ((forest(torch.from_numpy(columns)).numpy() > 0) == is_ai).mean() > 0.9


def test_the_same_seed_grows_the_same_forest(learnt) -> None:  # type: ignore[no-untyped-def]
    columns, is_ai, forest = learnt
    again = grow(columns, is_ai, np.ones(2000), GROWTH, seed=0, threads=1)
    for name, table in forest.state_dict().items():
        assert torch.equal(table, again.state_dict()[name]), name


def test_it_votes_as_lightgbm_does() -> None:
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(500, 6)).astype(np.float32)
    booster = lightgbm.train(
        {"objective": "binary", "max_depth": 4, "num_leaves": 10, "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(columns, label=columns[:, 0] > columns[:, 3]),
        num_boost_round=20,
    )
    forest = Forest(
        tables_of([tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]), depth=4
    )
    expected = booster.predict(columns, raw_score=True)
    np.testing.assert_allclose(forest(torch.from_numpy(columns)).numpy(), expected, atol=1e-5)


def test_the_graph_walks_the_same_way(learnt, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    columns, _, forest = learnt
    path = tmp_path / "forest.onnx"
    program = torch.onnx.export(
        forest.eval(),
        (torch.from_numpy(columns[:2]),),
        dynamo=True,
        input_names=["columns"],
        dynamic_shapes={"columns": {0: torch.export.Dim("N")}},
        verbose=False,
    )
    assert program is not None
    program.save(str(path), external_data=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"columns": columns})
    np.testing.assert_allclose(found, forest(torch.from_numpy(columns)).numpy(), atol=1e-5)
