"""Renders a study as one self-contained HTML file that works offline. Needs the extra `report`."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image, ImageOps

from ..data.tiers import LIMITS
from ..decode import decode
from ..errors import InputError
from . import plots
from .groups import DEFAULT_MODE
from .metrics import BEST_GUESS
from .study import Study

_WORST = 24  # thumbnails per kind of error
_THUMBNAIL = 150  # pixels


def render_page(study: Study) -> str:
    """The report of one study."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(
        percent=_percent, plain=_plain, interval=_interval, shade=_shade, count="{:,}".format
    )
    template = environment.from_string(
        resources.files(__package__).joinpath("report.html").read_text("utf-8")
    )
    record = study.record
    return template.render(
        record=record,
        data=record["data"],
        where=f"{record['data']['name']} {record['data']['split']}".strip(),
        curves=[
            _uri(plots.tier_curves(record, metric, title), "svg+xml")
            for metric, title in (
                ("auroc", "AUROC by tier"),
                ("balanced_accuracy", "Balanced accuracy by tier"),
            )
        ],
        models=[_model(study, index) for index in range(len(study.models))],
    )


def _model(study: Study, index: int) -> dict[str, Any]:
    record = study.record["models"][index]
    tiers = record["tiers"]
    figures = (plots.roc, plots.precision_recall, plots.reliability_diagram, plots.histogram)
    return {
        **record,
        "mode": DEFAULT_MODE if DEFAULT_MODE in record["thresholds"] else BEST_GUESS,
        "first": next(iter(tiers.values())),
        "figures": [
            (figure.__name__.replace("_", " "), _uri(figure(study, index), "svg+xml")) for figure in figures
        ],
        "heat": {
            key: [
                {
                    "row": row,
                    "by_tier": [tiers[tier]["groups"][key][number]["accuracy"] for tier in study.tiers],
                }
                for number, row in enumerate(next(iter(tiers.values()))["groups"][key])
            ]
            for key in ("generator", "real_origin", "category", "size")
        },
        "worst": [
            ("Real pictures called AI", _worst(study, index, False)),
            ("AI pictures missed", _worst(study, index, True)),
        ],
    }


def _worst(study: Study, model: int, is_ai: bool) -> list[dict[str, Any]]:
    """The most confident errors on the first tier, most confident first."""
    scores = study.scores[model, 0]
    says_ai = scores >= study.models[model].thresholds[BEST_GUESS].ai
    wrong = np.flatnonzero((study.is_ai == is_ai) & (says_ai != is_ai))
    order = wrong[np.argsort(scores[wrong] if is_ai else -scores[wrong], kind="stable")][:_WORST]
    return [
        {
            "score": float(scores[i]),
            "origin": study.pictures[i].origin,
            "image": _thumbnail(study.pictures[i].path),
        }
        if study.pictures[i].may_show
        else {"score": float(scores[i]), "origin": study.pictures[i].origin, "image": None}
        for i in order
    ]


def _thumbnail(path: Path) -> str | None:
    try:
        image = Image.fromarray(decode(path.read_bytes(), name=path.name, limits=LIMITS).pixels)
    except (OSError, InputError):  # changed or deleted since it was scored
        return None
    small = ImageOps.contain(image, (_THUMBNAIL, _THUMBNAIL)) if max(image.size) > _THUMBNAIL else image
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=75)
    return _uri(stream.getvalue(), "jpeg")


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _percent(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{100 * value:.{digits}f}"


def _plain(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _interval(row: Mapping[str, Any], name: str, factor: int = 100, digits: int = 1) -> str:
    pair = row["intervals"].get(name)
    return "" if pair is None else f"{factor * pair[0]:.{digits}f} to {factor * pair[1]:.{digits}f}"


def _shade(value: float) -> str:
    """CSS background for a share: 0 orange, 0.5 white, 1 blue; pale enough for black text."""
    end = (86, 180, 233) if value >= 0.5 else (240, 150, 80)
    weight = abs(value - 0.5) * 2 * 0.75
    red, green, blue = (round(255 + (channel - 255) * weight) for channel in end)
    return f"background:rgb({red} {green} {blue})"
