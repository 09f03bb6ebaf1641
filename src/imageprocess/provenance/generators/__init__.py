"""Reads the records of image generators: prompt, seed, sampler, model. A record is recognised by its structure, never
by a word that merely occurs somewhere, in any text of the file."""

from __future__ import annotations

from ...types import Evidence, ImageFacts
from ..texts import Texts
from .a1111 import read_a1111
from .comfyui import read_comfyui
from .generation import Generation, to_evidence
from .tools import read_tools

__all__ = ["read_generators"]


def read_generators(texts: Texts, facts: ImageFacts) -> tuple[list[Evidence], set[str]]:
    """The evidence, and the names of texts by which a generator was recognised, which do not describe a camera."""
    generations, names = read_tools(texts)
    a1111 = next((record for record in (read_a1111(text.text) for text in texts.all) if record), None)
    if a1111 and not any(_is_same(a1111, other) for other in generations):
        generations.insert(0, a1111)
    graph = read_comfyui(texts.documents, facts)
    if graph:
        generations.append(graph)
    return [to_evidence(generation, facts) for generation in generations], names


def _is_same(a1111: Generation, other: Generation) -> bool:
    """Some tools write their record twice, once in the format of AUTOMATIC1111's web UI."""
    return other.seed is not None and a1111.seed == other.seed
