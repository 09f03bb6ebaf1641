"""The training log as CSV and as a figure."""

from __future__ import annotations

import csv
from pathlib import Path


def write_log(out: Path, log: list[dict[str, float]]) -> None:
    """Write log.csv and curves.png to `out`: loss and accuracy of training and validation by epoch."""
    with (out / "log.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(log[0]))
        writer.writeheader()
        writer.writerows(log)

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    epochs = [row["epoch"] for row in log]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axes, name in ((left, "loss"), (right, "accuracy")):
        for split, colour in (("train", "#64748b"), ("val", "#2563eb")):
            axes.plot(epochs, [row[f"{split}_{name}"] for row in log], "o-", color=colour, label=split)
        axes.set(xlabel="epoch", ylabel=name)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(out / "curves.png", dpi=120)
    plt.close(figure)
