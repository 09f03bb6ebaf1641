"""Camera metadata from EXIF. It never decides a verdict: EXIF survives edits and can be copied or written by anyone."""

from __future__ import annotations

import re
from collections.abc import Set

from ..types import Evidence
from .exif import Exif
from .statements import evidence, printable
from .table import TABLE

_MAX_NAME = 64  # characters of a make or model; generators write whole records into these fields
_NOT_CAMERAS = re.compile(TABLE["not_cameras"], re.I)
_FACTS = {
    "make": "Make", "model": "Model", "lens_make": "LensMake", "lens": "LensModel",
    "taken": "DateTimeOriginal", "changed": "DateTime", "software": "Software",
}  # fmt: skip


def read_camera(exif: Exif, generators: Set[str] = frozenset()) -> list[Evidence]:
    """At most one item of evidence: the camera that EXIF names, or the presence of exposure settings without a name.

    `generators`: names of the EXIF fields by which a generator was recognised.
    """
    texts = {name: text for name, text in exif.texts.items() if name not in generators}
    make, model = (_name(texts.get(name, "")) for name in ("Make", "Model"))
    if "Make" in generators or _NOT_CAMERAS.search(make):  # then the model is not a camera's either
        make = model = ""
    brand = make.lower().split(" ")[0]  # "NIKON CORPORATION" and "NIKON D90": do not repeat the brand
    camera = model if model and model.lower().startswith(brand) else f"{make} {model}".strip()
    if not camera and not exif.numbers:
        return []
    claim = (
        f"EXIF names a camera: {printable(camera, 120)}"
        if camera
        else "EXIF has a camera's exposure settings"
    )
    date = texts.get("DateTimeOriginal")
    claim += f", on {printable(date[:10]).replace(':', '-')}" if date else ""
    return [
        evidence(
            "exif",
            claim + ".",
            "unsigned",
            "real",
            proves="That the file contains this camera metadata.",
            does_not_prove="That this camera took this picture: EXIF is not signed, is retained by editing, and can be "
            "copied to any picture.",
            **{fact: texts.get(name) for fact, name in _FACTS.items()},
            **exif.numbers,
        )
    ]


def _name(text: str) -> str:
    """`text` if it can be a make or model, else ""."""
    return text if len(text) <= _MAX_NAME and not set("{}[]\n") & set(text) else ""
