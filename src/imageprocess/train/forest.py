"""Boosted trees: grown by LightGBM, walked by look-ups alone, so that they run wherever ONNX does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import MissingExtraError


@dataclass(frozen=True, slots=True)
class Growth:
    """What decides a forest. Many shallow, slowly learning trees that each see a few of the columns: the statistics
    are correlated, and a tree that sees all of them takes the same few again and again."""

    trees: int = 800
    learning_rate: float = 0.06
    leaves: int = 31
    depth: int = 7
    columns: float = 0.1  # of the statistics, drawn for each tree
    rows: float = 0.6  # of the pictures, drawn for each tree
    least: int = 40  # pictures in a leaf
    shrinkage: float = 5.0  # L2 on the leaves' values


def grow(
    columns: NDArray[np.float32],
    is_ai: NDArray[np.bool_],
    weights: NDArray[np.float64],
    growth: Growth,
    *,
    seed: int,
    threads: int,
) -> Forest:
    """columns (N, F), is_ai (N,), weights (N,) -> a forest whose output is the log odds of being an AI's.

    Raises MissingExtraError without LightGBM.
    """
    try:
        import lightgbm
    except (ImportError, OSError) as error:  # OSError: its wheel asks the system for libgomp
        raise MissingExtraError("lightgbm", "train") from error

    booster = lightgbm.train(
        {
            "objective": "binary",
            "learning_rate": growth.learning_rate,
            "num_leaves": growth.leaves,
            "max_depth": growth.depth,
            "feature_fraction": growth.columns,
            "bagging_fraction": growth.rows,
            "bagging_freq": 1,
            "min_data_in_leaf": growth.least,
            "lambda_l2": growth.shrinkage,
            "max_bin": 63,  # finer ones do not separate better here, and take four times as long
            "boost_from_average": False,  # the classes weigh alike
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "verbosity": -1,
        },
        lightgbm.Dataset(columns, label=is_ai, weight=weights),
        num_boost_round=growth.trees,
    )
    trees = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    return Forest(tables_of(trees), growth.depth)


class Forest(nn.Module):
    """(N, F) -> (N,) the sum of the leaves that each row comes to.

    A node is a place in five tables; a leaf is its own child on either side, so every tree is walked to the same depth.
    """

    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    roots: Tensor

    def __init__(self, tables: dict[str, Tensor], depth: int) -> None:
        super().__init__()
        self.depth = depth
        for name, table in tables.items():
            self.register_buffer(name, table)

    def forward(self, columns: Tensor) -> Tensor:
        node = self.roots.expand(columns.shape[0], -1)  # (N, trees)
        for _ in range(self.depth):
            goes_left = columns.gather(1, _looked_up(self.feature, node)) <= _looked_up(self.threshold, node)
            node = torch.where(goes_left, _looked_up(self.left, node), _looked_up(self.right, node))
        return _looked_up(self.value, node).sum(1)


def _looked_up(table: Tensor, node: Tensor) -> Tensor:
    """table[node], exported as GatherElements: as indexing it would be GatherND, which takes five times as long."""
    return table.gather(0, node.flatten()).view_as(node)


def tables_of(trees: list[dict[str, Any]]) -> dict[str, Tensor]:
    """LightGBM's dumped trees -> a forest's tables, which are also its state_dict."""
    nodes: list[tuple[int, float, int, int, float]] = []
    roots = [_flatten(tree, nodes) for tree in trees]
    feature, threshold, left, right, value = zip(*nodes, strict=True)
    return {
        "feature": torch.tensor(feature),
        "threshold": torch.tensor(threshold, dtype=torch.float32),
        "left": torch.tensor(left),
        "right": torch.tensor(right),
        "value": torch.tensor(value, dtype=torch.float32),
        "roots": torch.tensor(roots),
    }


def _flatten(tree: dict[str, Any], nodes: list[tuple[int, float, int, int, float]]) -> int:
    """Append `tree` to `nodes`; -> its place there. No value is missing, so LightGBM's default directions are moot."""
    place = len(nodes)
    if "leaf_value" in tree:
        nodes.append((0, 0.0, place, place, tree["leaf_value"]))
        return place
    nodes.append((0, 0.0, place, place, 0.0))  # kept free; its children come behind it
    left, right = _flatten(tree["left_child"], nodes), _flatten(tree["right_child"], nodes)
    nodes[place] = (tree["split_feature"], tree["threshold"], left, right, 0.0)
    return place
