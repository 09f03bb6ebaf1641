"""Renders a record as one HTML file without scripts or network requests. On the web pages, report.js fills the same
template (web/assets/report.html) in the user's language; this module fills it in English.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..types import DecodedImage, Grade, Result
from .records import to_record
from .words import STATED, basis, explanation, grade_of, headline, maker, meaning, t, texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ASSETS = Path(__file__).parents[1] / "web" / "assets"
_MAX_SIDE = 1200  # pixels of the heat map's longer side in the report
_GENERATOR = ("generator", "model", "prompt", "negative_prompt", "seed", "sampler")
_CAMERA = (
    "make", "model", "lens", "taken", "changed", "software", "exposure_time_s", "f_number", "iso", "focal_length_mm",
)  # fmt: skip


def pixels_sha256(image: DecodedImage) -> str:
    """SHA-256 of the decoded pixels: EXIF orientation applied, 8-bit RGB row by row, transparency over white, colour
    profile ignored."""
    return hashlib.sha256(image.pixels.tobytes()).hexdigest()


def to_html(
    record: Mapping[str, Any],
    *,
    made: datetime,
    pixels: str | None = None,
    heat: bytes | None = None,
    picture: tuple[str, bytes] | None = None,
) -> str:
    """The report on an `ok` record. `pixels`: from pixels_sha256; `heat`: the heat map as a PNG; `picture`: media type
    and bytes of the image, to include it in the report.
    """
    verdict = record["verdict"]
    slots = {
        "lang": "en",
        "dir": "ltr",
        "title": escape(f"{t('report.title')}: {record['source']}"),
        "label": verdict["label"],
        "grade": _grade(record),
        "headline": escape(_headline(record)),
        "meter": _meter(record),
        "why": _why(record),
        "figures": _figures(record, heat, picture),
        "identity_title": escape(t("report.identity")),
        "identity": _identity(record, pixels),
        "identity_note": escape(t("report.identity.note")),
        "evidence": _evidence(record["evidence"]),
        "limits_title": escape(t("report.limits")),
        "limits": escape(t("report.limits.text")),
        "made": escape(_made(record, made)),
        "record": _embedded({**record, **({"pixels_sha256": pixels} if pixels else {})}),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda slot: slots[slot[1]], _template())


def heat_png(pixels: NDArray[np.uint8], heat: NDArray[np.float32], *, with_picture: bool) -> bytes:
    """The heat map as a PNG, over the image in grey, or over plain grey if the image must not be in the report."""
    import numpy as np
    from PIL import Image

    from ..model.heatmap import overlay_png

    size = (max(1, pixels.shape[1]), max(1, pixels.shape[0]))
    scale = min(1.0, _MAX_SIDE / max(size))
    size = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    base = Image.fromarray(pixels).resize(size) if with_picture else Image.new("RGB", size, (128, 128, 128))
    overlay = Image.open(io.BytesIO(overlay_png(np.asarray(base), heat)))
    stream = io.BytesIO()
    overlay.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def of_result(result: Result, data: bytes, image: DecodedImage, *, made: datetime, with_picture: bool) -> str:
    """The report on an `ok` result; `data`, `image`: the bytes and pixels of its file; `made`: date of the report."""
    heatmap = result.heatmap
    return to_html(
        to_record(result),
        made=made,
        pixels=pixels_sha256(image),
        heat=None if heatmap is None else heat_png(image.pixels, heatmap, with_picture=with_picture),
        picture=(f"image/{image.facts.format.lower()}", data) if with_picture else None,
    )


@cache
def _template() -> str:
    return (_ASSETS / "report.html").read_text(encoding="utf-8")


def _headline(record: Mapping[str, Any]) -> str:
    verdict = record["verdict"]
    items = [(item["kind"], item.get("points_to"), item["detail"]) for item in record["evidence"]]
    return headline(verdict["label"], verdict["decided_by"], verdict.get("grade"), items)


def _grade(record: Mapping[str, Any]) -> Grade:
    return grade_of(record["verdict"]["label"], record["verdict"].get("grade"))


def _why(record: Mapping[str, Any]) -> str:
    """The reason, the measured accuracy of the grade, what decided, and the advice, as in verdict-view.js."""
    verdict = record["verdict"]
    measured = verdict.get("measured")
    parts = [f'<p class="reason">{escape(verdict["reason"])}</p>']
    if measured:
        sentence = escape(meaning(measured, _grade(record)))
        parts.append(f'<p class="meaning">{sentence} <span class="hint">{escape(basis(measured))}</span></p>')
    parts += [f'<p class="beside">{escape(sentence)}</p>' for sentence in _model_details(record)]
    decided = escape(t(f"decided.{verdict['decided_by']}"))
    parts.append(f'<p class="decided">{escape(t("decided"))} <b>{decided}</b></p>')
    if advice := "".join(f"<li>{escape(t(f'advice.{name}'))}</li>" for name in verdict.get("advice", ())):
        parts.append(f'<div class="advice"><p><b>{escape(t("advice"))}</b></p><ul>{advice}</ul></div>')
    return "\n".join(parts)


def _model_details(record: Mapping[str, Any]) -> list[str]:
    """Sentences on the likely generator and the explanation, if the model's evidence has them."""
    details = [item["detail"] for item in record["evidence"] if item["kind"] == "model"]
    makers = [maker(detail["maker"]) for detail in details if "maker" in detail]
    explanations = [
        sentence for detail in details if "explain" in detail for sentence in explanation(detail["explain"])
    ]
    return [*(sentence for sentence in makers if sentence), *explanations]


def _percent(p: float) -> str:
    """An estimate is never displayed as 0 % or 100 %, because no model is that certain."""
    return ">99%" if p > 0.99 else "<1%" if p < 0.01 else f"{p:.0%}"


def _meter(record: Mapping[str, Any]) -> str:
    verdict = record["verdict"]
    p = verdict["probability_ai"]
    if p is None:
        return ""
    is_estimate = verdict["decided_by"] not in STATED
    model = next((item for item in record["evidence"] if item["kind"] == "model"), None)
    thresholds = model["detail"].get("thresholds") if model and is_estimate else None
    low, high = (thresholds["real"], thresholds["ai"]) if thresholds else (0.5, 0.5)
    is_share = verdict["decided_by"] == "metadata"  # the measured share of true records
    label = t("meter.label" if is_estimate else "meter.label.counted" if is_share else "meter.label.stated")
    percentage = _percent(p) if is_estimate or is_share else f"{p:.0%}"
    unsure = f'<span class="unsure">{escape(t("meter.unsure"))}</span>' if low < high else ""
    return (
        f'<div class="meter" style="--p: {p}; --low: {low}; --high: {high}">'
        f'<p class="meter-head"><span>{escape(label)}</span><strong>{escape(percentage)}</strong></p>'
        f'<div class="track" role="img" aria-label="{escape(percentage)}"><span class="needle"></span></div>'
        f'<p class="scale" aria-hidden="true"><span>{escape(t("meter.real"))}</span>{unsure}'
        f"<span>{escape(t('meter.ai'))}</span></p></div>"
    )


def _figures(record: Mapping[str, Any], heat: bytes | None, picture: tuple[str, bytes] | None) -> str:
    name = escape(record["source"])
    figures = []
    if picture:
        figures.append(f'<figure><div class="frame">{_image(*picture, name)}</div></figure>')
    if heat:
        caption = escape(t("heat.caption"))
        image = _image("image/png", heat, "")
        figures.append(f'<figure><div class="frame">{image}</div><figcaption>{caption}</figcaption></figure>')
    return f'<section class="figures">{"".join(figures)}</section>' if figures else ""


def _image(media_type: str, data: bytes, alt: str) -> str:
    return f'<img src="data:{media_type};base64,{base64.b64encode(data).decode()}" alt="{alt}">'


def _identity(record: Mapping[str, Any], pixels: str | None) -> str:
    image, model = record["image"], record.get("model")
    facts = {
        "name": record["source"],
        "format": f"{image['format']} · {image['width']:,} × {image['height']:,} · {image['bytes']:,} bytes",
        "sha256": record["sha256"],
        "pixels": pixels,
        "model": model and f"{model['name']} {model['version']} · {model['sha256']}",
    }
    return "".join(_entry(t(f"report.{key}"), value) for key, value in facts.items() if value)


def _entry(name: str, value: object) -> str:
    return f'<dt>{escape(name)}</dt><dd dir="auto">{escape(str(value))}</dd>'


def _evidence(items: Iterable[Mapping[str, Any]]) -> str:
    entries = "".join(_list_item(item) for item in items)
    body = f"<ul>{entries}</ul>" if entries else f"<p>{escape(t('evidence.none'))}</p>"
    return f'<h2>{escape(t("evidence"))}</h2>{body}<p class="hint">{escape(t("evidence.unchecked"))}</p>'


def _list_item(item: Mapping[str, Any]) -> str:
    kind, trust, detail = item["kind"], item["trust"], item["detail"]
    head = f"<b>{escape(t(f'kind.{kind}'))}</b> · {escape(t(f'trust.{trust}'))}"
    head += f" · {escape(t('points.' + item['points_to']))}" if "points_to" in item else ""
    group, names = ("camera", _CAMERA) if kind == "exif" else ("record", _GENERATOR)
    facts = "".join(_entry(t(f"{group}.{name}"), detail[name]) for name in names if detail.get(name))
    facts += "".join(_entry(name, value) for name, value in dict(detail.get("settings") or {}).items())
    proves = texts().get(f"worth.{kind}", "")
    if detail.get("proves"):
        proves = f"{t('proves')} {detail['proves']} {t('proves.not')} {detail.get('does_not_prove', '–')}"
    return (
        f'<li><p class="kind">{head}</p><p>{escape(item["claim"])}</p>'
        + (f'<dl class="record">{facts}</dl>' if facts else "")
        + f'<p class="hint">{escape(proves)}</p></li>'
    )


def _made(record: Mapping[str, Any], made: datetime) -> str:
    model = record.get("model") or {"name": "–", "version": ""}
    return t(
        "report.made",
        date=made.strftime("%d %B %Y, %H:%M %Z").strip(", "),
        model=f"{model['name']} {model['version']}",
    )


def _embedded(record: Mapping[str, Any]) -> str:
    """JSON escaped so that it cannot close the enclosing HTML element."""
    return json.dumps(record, ensure_ascii=False).replace("<", "\\u003c")
