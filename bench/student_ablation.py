"""Trains the small model without ImageNet weights, its teacher or unlabelled images, for equal numbers of steps.

python -m bench.student_ablation DATA STORE WORK START UNLABELLED [STEPS]     rewrites the table of docs/training.md

WORK is the folder of `imageprocess encoder distil --work`: its prepared images and teacher's logits are used, and an
interrupted run continues. START: the file of the ImageNet weights. UNLABELLED: a data set of `data unlabelled`. The
result is also stored in model.json and in the card of the shipped model.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.markers import write_between
from imageprocess.cli.output import progress_bar
from imageprocess.data.index import read_index
from imageprocess.data.manifest import repositories
from imageprocess.evaluate.ablation import ablation_table
from imageprocess.evaluate.grades import refresh_card
from imageprocess.model.registry import MODELS
from imageprocess.model.spec import dump_facts
from imageprocess.train.distil.command import open_unlabelled
from imageprocess.train.distil.graph import write_graph
from imageprocess.train.distil.model import score_views, select_views
from imageprocess.train.distil.network import Backbone, Student, load_start
from imageprocess.train.distil.targets import TRAINING_SPLITS, DistilTargets, load_targets, open_pixels
from imageprocess.train.distil.training import DistilOptions, train_student
from imageprocess.train.encoder.head import HeadOptions
from imageprocess.train.encoder.measure import auroc_by_variant

PAGE = Path(__file__).parents[1] / "docs" / "training.md"
LABELS_ALONE = DistilOptions(teacher_share=0.0, feature_weight=0.0)
# With labels alone the network collapses to one answer at the default, which the teacher's features prevent.
LEARNING_RATE = 3e-4
VARIANTS = {  # name: (starts from ImageNet weights, has unlabelled images, options)
    "from nothing, labels": (False, False, replace(LABELS_ALONE, frozen=0)),
    "ImageNet weights, labels": (True, False, LABELS_ALONE),
    "ImageNet weights, labels and teacher": (True, False, DistilOptions()),
    "ImageNet weights, labels and teacher, unlabelled images": (True, True, DistilOptions()),
}


def main(data: Path, store: Path, work: Path, start: Path, unlabelled: Path, steps: int) -> None:
    rows = read_index(data)
    training = [row for row in rows if row.split in TRAINING_SPLITS]
    other, other_views = open_unlabelled(
        unlabelled, data, rows, store, work, jobs=1, bar=progress_bar, progress=print
    )
    targets = load_targets(store, work / "teacher.npz", training, repositories(), HeadOptions(), print, other)
    views = open_pixels(work / "pixels", targets.features)
    table = []
    for number, (name, (has_start, has_unlabelled, options)) in enumerate(VARIANTS.items()):
        torch.manual_seed(0)
        weights = dict(load_start(start)) if has_start else random_weights()
        with progress_bar(name) as progress:
            student = train_student(
                targets if has_unlabelled else replace(targets, unlabelled=None), views, weights,
                replace(options, steps=steps, learning_rate=LEARNING_RATE),
                work / f"ablation{number}.pt", progress, other_views,
            )  # fmt: skip
        auroc = held_out_auroc(student, targets, views)
        print(name, auroc, flush=True)
        table.append({"name": name, "auroc": auroc})
    ablation = {
        "steps": steps,
        "pictures": DistilOptions().pictures,
        "learning_rate": LEARNING_RATE,
        "variants": table,
    }
    write_between(PAGE, "ablation", ablation_table(ablation))
    path = MODELS / "student" / "model.json"
    facts = json.loads(path.read_text("utf-8"))
    facts["training"]["ablation"] = ablation
    refresh_card(path.parent, facts)
    path.write_text(dump_facts(facts), encoding="utf-8")


def random_weights() -> dict[str, Tensor]:
    """He initialisation (arXiv 1502.01852). The student's normalisation keeps its statistics, so with PyTorch's smaller
    initial weights the signal vanishes in this depth, and the network answers the same for every image."""
    backbone = Backbone()
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return backbone.state_dict()


def held_out_auroc(
    student: Student, targets: DistilTargets, views: Sequence[NDArray[np.uint8]]
) -> dict[str, float]:
    """-> {degradation: AUROC on the held-out sources}"""
    held_out = targets.features.subset(targets.held_out)
    with tempfile.TemporaryDirectory() as temporary:
        graph = Path(temporary) / "model.onnx"
        write_graph(student, graph)
        return auroc_by_variant(held_out, score_views(graph, select_views(views, targets.held_out)))


if __name__ == "__main__":
    data, store, work, start, unlabelled = (Path(argument) for argument in sys.argv[1:6])
    main(data, store, work, start, unlabelled, int((sys.argv[6:] or ["600"])[0]))
