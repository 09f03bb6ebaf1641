"""CIFAKE, a public benchmark: accuracy of small32 runs with different seeds on its 20,000 test images.

    python -m bench.cifake CIFAKE RUN [RUN ...]

CIFAKE is the data set's own folder (train|test / REAL|FAKE), a RUN what `train --net small32 --out RUN` wrote. Writes
docs/cifake.md. No test image is used for training or selection.
"""

from __future__ import annotations

import statistics
import sys
import textwrap
from pathlib import Path
from typing import Any

from imageprocess.evaluate.pictures import read_dataset
from imageprocess.evaluate.study import evaluate
from imageprocess.model.spec import load_spec

PAGE = Path(__file__).parents[1] / "docs" / "cifake.md"
# Test accuracies in per cent, from the papers.
PUBLISHED = (
    ("CNN of the data set's authors (Bird and Lotfi 2024)", 92.98),
    ("best of the other small CNNs", 96.6),
    ("ResNet-18", 97.67),
    ("ViT-B", 98.25),
    ("Swin-T (best known result)", 98.74),
)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder, runs = Path(sys.argv[1]), [Path(run) for run in sys.argv[2:]]
    study = evaluate(read_dataset(folder, "test"), [run / "model" for run in runs], ["raw"], jobs=2)
    facts = [load_spec(run / "model").facts for run in runs]
    PAGE.write_text("\n".join(page(study.record, facts)) + "\n", encoding="utf-8")
    print(PAGE.read_text("utf-8"))


def page(record: dict[str, Any], facts: list[dict[str, Any]]) -> list[str]:
    """`record`: the study's; `facts`: the model.json of each of its models."""
    results = [model["tiers"]["raw"]["by_picture"] for model in record["models"]]
    accuracies = [row["accuracy"] for row in results]
    training, data = facts[0]["training"], record["data"]
    recipe = ", ".join(f"{key} {value}" for key, value in training["recipe"].items() if key != "seed")
    spread = f" (standard deviation {statistics.stdev(accuracies):.2%})" if len(accuracies) > 1 else ""
    return [
        "# CIFAKE, a public benchmark",
        "",
        *_wrapped(
            "CIFAKE (Bird and Lotfi 2024; MIT licence) contains 60,000 images of CIFAR-10 and 60,000 images of the "
            "same ten classes generated with Stable Diffusion 1.4, all of 32 x 32 pixels. It allows a comparison "
            "with published results. The results do not transfer to other images: the model cards have the accuracy "
            "of this project's models on those."
        ),
        "",
        *_wrapped(
            f"`small32`, {facts[0]['parameters']:,} parameters, trained from scratch, reaches "
            f"**{statistics.mean(accuracies):.2%}** of the {data['n_ai'] + data['n_real']:,} test images on "
            f"average over {len(results)} seed{'s' if len(results) > 1 else ''}{spread}:"
        ),
        "",
        "| seed | test accuracy [95 %] | AUROC | validation accuracy | epoch | minutes on two cores |",
        "|---|---|---|---|---|---|",
        *(_row(row, each) for row, each in zip(results, facts, strict=True)),
        "",
        "| published | test accuracy, % |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in PUBLISHED),
        "",
        *_wrapped(
            f"Method: {facts[0]['architecture']}. {training['images']['train']:,} training images, without exact "
            f"duplicates of test images, and {training['images']['val']:,} images to select the epoch and fit the "
            f"calibration. No test image is used for training or tuning. Hyperparameters: {recipe}."
        ),
        "",
        *_wrapped(
            f"Sanity checks: AUROC {_shuffled(record)} with shuffled labels, and with blank images "
            f"{record['models'][0]['honesty']['blank']['auroc']:.3f}."
        ),
        "",
        "```sh",
        "imageprocess data import CIFAKE --out cifake-set",
        *(
            f"imageprocess train --data cifake-set --net small32 --seed {each['training']['recipe']['seed']} "
            f"--out runs/small32-{each['training']['recipe']['seed']}"
            for each in facts
        ),
        "python -m bench.cifake CIFAKE runs/small32-*   # writes this page",
        "```",
    ]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 120, break_long_words=False)


def _row(results: dict[str, Any], facts: dict[str, Any]) -> str:
    low, high = results["intervals"]["accuracy"]
    training = facts["training"]
    best = training["log"][training["best_epoch"] - 1]
    minutes = sum(epoch["seconds"] for epoch in training["log"]) / 60
    return (
        f"| {training['recipe']['seed']} | {results['accuracy']:.2%} [{low:.2%}, {high:.2%}] | {results['auroc']:.4f} "
        f"| {best['val_accuracy']:.2%} | {training['best_epoch']} | {minutes:.0f} |"
    )


def _shuffled(record: dict[str, Any]) -> str:
    mean, low, high = record["models"][0]["honesty"]["shuffled_labels"]["auroc"]
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
