"""EXIF -> what it says of a camera. Never decides: EXIF is copied, kept through edits, and typed by anyone."""

from __future__ import annotations

from ..types import Evidence
from .exif import Exif
from .statements import evidence, printable


def read_camera(exif: Exif) -> list[Evidence]:
    """At most one item: the camera that EXIF names, or, where it names none, that it has exposure settings."""
    texts = {name: text for name, text in exif.texts.items() if not text.startswith(("workflow:", "prompt:"))}
    make, model = texts.get("make", ""), texts.get("model", "")
    brand = make.lower().split(" ")[0]  # "NIKON CORPORATION", "NIKON D90": one name is enough
    camera = model if model and model.lower().startswith(brand) else f"{make} {model}".strip()
    if not camera and not exif.numbers:
        return []
    claim = (
        f"EXIF names a camera: {printable(camera, 120)}"
        if camera
        else "EXIF has a camera's exposure settings"
    )
    claim += f", on {printable(texts['taken'][:10]).replace(':', '-')}" if "taken" in texts else ""
    names = ("make", "model", "lens_make", "lens", "taken", "changed", "software")
    return [
        evidence(
            "exif",
            claim + ".",
            "unsigned",
            "real",
            proves="That these camera facts stand in the file.",
            does_not_prove="That this camera took this picture: EXIF is not signed, survives editing, and can be "
            "copied onto any picture.",
            **{name: texts.get(name) for name in names},
            **exif.numbers,
        )
    ]
