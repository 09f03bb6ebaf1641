"""The figures of the report, as SVG."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from .metrics import BEST_GUESS, Scored, reliability
from .study import Study

# The palette of Okabe and Ito, which colour-blind readers can distinguish, and grey.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d1f", "#5b5b5b", "#000000")
_AI, _REAL = "#d55e00", "#0072b2"
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e7",
    "svg.hashsalt": "imageprocess",  # makes files reproducible
    "legend.frameon": False,
}
_MAX_POINTS = 400  # of a curve; more are not visible at this size


def tier_curves(record: Mapping[str, Any], metric: str, title: str) -> bytes:
    """A metric by tier, one line per model, with its intervals. An SVG file, as of all functions here."""
    with _figure(6.4, 3.2) as (figure, axes):
        for number, model in enumerate(record["models"]):
            tiers = list(model["tiers"])
            rows = [model["tiers"][tier]["by_picture"] for tier in tiers]
            values = np.array([row[metric] for row in rows])
            places = np.arange(len(tiers)) + 0.08 * (number - (len(record["models"]) - 1) / 2)
            bounds = np.array([row["intervals"].get(metric, (row[metric],) * 2) for row in rows])
            errors = np.clip(np.abs(bounds - values[:, None]).T, 0, None)
            axes.errorbar(
                places,
                values,
                errors,
                marker="o",
                markersize=4,
                capsize=2,
                color=_colour(number),
                label=model["name"],
            )
        facts = record["honesty"]["file_facts"]
        if facts:
            baseline = [facts[tier][metric] for tier in tiers]
            axes.plot(baseline, color="#71717a", linestyle="--", linewidth=1, label="metadata features alone")
        axes.set_xticks(range(len(tiers)), tiers)
        axes.axhline(0.5, color="#a1a1aa", linestyle=":", linewidth=1)
        axes.set(title=title, ylim=(min(0.45, axes.get_ylim()[0]), 1.005))
        figure.legend(loc="outside lower center", ncols=5)
        return _svg(figure)


def roc(study: Study, model: int) -> bytes:
    from sklearn.metrics import roc_curve

    with _figure(4.2, 3.8) as (figure, axes):
        for index, tier in enumerate(study.tiers):
            scored = study.scored(model, index)
            fpr, tpr, _ = roc_curve(scored.is_ai, scored.scores)
            axes.plot(*_thin(fpr, tpr), color=_colour(index), linewidth=2 if index == 0 else 1, label=tier)
        axes.plot((0, 1), (0, 1), color="#a1a1aa", linestyle=":", linewidth=1)
        axes.set(title="ROC", xlabel="FPR", ylabel="TPR")
        axes.legend(loc="lower right", fontsize=7)
        return _svg(figure)


def precision_recall(study: Study, model: int) -> bytes:
    from sklearn.metrics import precision_recall_curve

    with _figure(4.2, 3.8) as (figure, axes):
        for index, tier in enumerate(study.tiers):
            scored = study.scored(model, index)
            precision, recall, _ = precision_recall_curve(scored.is_ai, scored.scores)
            axes.plot(
                *_thin(recall, precision), color=_colour(index), linewidth=2 if index == 0 else 1, label=tier
            )
        axes.axhline(study.is_ai.mean(), color="#a1a1aa", linestyle=":", linewidth=1)
        axes.set(title="Precision and recall", xlabel="recall (TPR)", ylabel="precision")
        axes.set_ylim(0, 1.02)
        return _svg(figure)


def reliability_diagram(study: Study, model: int) -> bytes:
    """Predicted probability against observed share, classes balanced; the size of a point is the weight of its bin."""
    with _figure(4.2, 3.8) as (figure, axes):
        axes.plot((0, 1), (0, 1), color="#a1a1aa", linestyle=":", linewidth=1)
        for index in _few(study.tiers):
            scored = study.scored(model, index)
            predicted, observed, mass = reliability(scored.is_ai, scored.scores, np.ones(len(scored.scores)))
            used = mass > 0
            axes.plot(
                predicted[used], observed[used], color=_colour(index), linewidth=1, label=study.tiers[index]
            )
            axes.scatter(
                predicted[used], observed[used], 4 + 200 * mass[used], color=_colour(index), alpha=0.7
            )
        axes.set(
            title="Reliability",
            xlabel="predicted probability",
            ylabel="observed share of AI, classes balanced",
        )
        axes.legend(loc="upper left", fontsize=7)
        return _svg(figure)


def histogram(study: Study, model: int) -> bytes:
    with _figure(4.2, 3.8) as (figure, axes):
        scored = study.scored(model, 0)
        _class_histogram(axes, scored)
        for mode, limits in study.models[model].thresholds.items():
            if mode != BEST_GUESS:
                for threshold in (limits.ai, limits.real):
                    axes.axvline(threshold, color="#71717a", linestyle="--", linewidth=0.8)
        axes.set(title=f"Scores, {study.tiers[0]}", xlabel="probability of AI", ylabel="share of the class")
        axes.legend(loc="upper center", fontsize=8)
        return _svg(figure)


def _class_histogram(axes: Axes, scored: Scored) -> None:
    bins = np.linspace(0, 1, 41).tolist()
    for mask, colour, label in ((scored.is_ai, _AI, "AI"), (~scored.is_ai, _REAL, "real")):
        scores = scored.scores[mask]
        axes.hist(
            scores, bins, weights=np.full(len(scores), 1 / len(scores)), color=colour, alpha=0.55, label=label
        )


def _few(tiers: Sequence[str]) -> list[int]:
    """Indices of a few tiers, so that a diagram stays readable."""
    indices = [tiers.index(tier) for tier in ("raw", "web", "hard") if tier in tiers]
    return indices or [0]


def _thin(
    x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    if len(x) <= _MAX_POINTS:
        return x, y
    indices = np.unique(np.linspace(0, len(x) - 1, _MAX_POINTS).astype(int))
    return x[indices], y[indices]


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure in the style of the report; width and height in inches. Without pyplot, which has global
    state."""
    with mpl.rc_context(_STYLE):
        figure = Figure((width, height), layout="constrained")
        FigureCanvasSVG(figure)
        yield figure, figure.add_subplot()


def _svg(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
