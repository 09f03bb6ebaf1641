"""What a generator of pictures wrote about its work: prompt, seed, sampler, model. Each record is known by its
structure, never by a word that occurs somewhere, and is found in whatever text of the file holds it."""

from __future__ import annotations

from ...types import Evidence, ImageFacts
from ..texts import Texts
from .a1111 import read_a1111
from .comfyui import read_comfyui
from .generation import Generation, to_evidence
from .tools import read_tools

__all__ = ["read_generators"]


def read_generators(texts: Texts, facts: ImageFacts) -> tuple[list[Evidence], set[str]]:
    """The evidence, and the names of texts by which a generator was recognised: what stands there is no camera's."""
    generations, names = read_tools(texts)
    a1111 = next((found for found in (read_a1111(text.text) for text in texts.all) if found), None)
    if a1111 and not any(_is_same(a1111, other) for other in generations):
        generations.insert(0, a1111)
    graph = read_comfyui(texts.documents, facts)
    if graph:
        generations.append(graph)
    return [to_evidence(found, facts) for found in generations], names


def _is_same(a1111: Generation, other: Generation) -> bool:
    """Some tools write their record twice, once in the form that the web UI's readers know."""
    return other.seed is not None and a1111.seed == other.seed
