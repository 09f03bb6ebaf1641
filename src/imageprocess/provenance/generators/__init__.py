"""What a generator of pictures wrote about its work: prompt, seed, sampler, model. Each reader knows one record by its
structure, never by a word that occurs somewhere."""

from __future__ import annotations

from collections.abc import Mapping

from ...types import Evidence, ImageFacts
from .a1111 import read_a1111
from .comfyui import read_comfyui
from .generation import Generation, to_evidence
from .others import read_aigc, read_fooocus, read_invokeai, read_mflux, read_midjourney, read_novelai

__all__ = ["read_generators"]


def read_generators(notes: Mapping[str, str], xmp: Mapping[str, str], facts: ImageFacts) -> list[Evidence]:
    """`notes`: the file's named texts: PNG text chunks, and EXIF's (description, make, model, user_comment, ...)."""
    records: list[Generation | None] = [
        read_fooocus(notes) or read_a1111(notes.get("parameters")) or read_a1111(notes.get("user_comment")),
        read_comfyui(*_comfyui_texts(notes)),
        read_invokeai(notes),
        read_novelai(notes),
        read_midjourney(notes, xmp),
        read_mflux(notes, xmp),
        read_aigc(notes, xmp),
    ]
    return [to_evidence(record, facts) for record in records if record]


def _comfyui_texts(notes: Mapping[str, str]) -> tuple[str | None, str | None]:
    """PNG chunks by their names; in WebP, where there are none, EXIF fields that begin with the name."""
    prompt, workflow = notes.get("prompt"), notes.get("workflow")
    for text in (notes.get(name, "") for name in ("make", "model", "description")):
        if text.lower().startswith("prompt:"):
            prompt = prompt or text[len("prompt:") :]
        elif text.lower().startswith("workflow:"):
            workflow = workflow or text[len("workflow:") :]
    return prompt, workflow
