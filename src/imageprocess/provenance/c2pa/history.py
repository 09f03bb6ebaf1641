"""Manifests' actions -> how the image was made, in the vocabulary of C2PA's public asset rubrics
(c2pa-org/conformance-public, asset-rubrics, 2026-08)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from ...types import PointsTo
from ..source_types import MADE_BY_AI, source_type
from ..table import TABLE

_MAX_DEPTH = 16  # generations of ingredients
_MAX_ACTIONS = 1_000
_INCEPTION = {"c2pa.created", "c2pa.opened"}
_WORDS = TABLE["c2pa"]
_NON_EDITORIAL = set(_WORDS["non_editorial"])  # mechanical or administrative: the picture stays as it was
_GENERATIVE = set(_WORDS["generative"])
_POSSIBLY_GENERATIVE = set(_WORDS["possibly_generative"])
_INCEPTION_SIGNALS: dict[str, str] = _WORDS["inception_signals"]
# Microsoft's Image Creator writes no digitalSourceType, but names itself.
_AI_AGENTS = set(_WORDS["ai_agents"])
_AI_DESCRIPTIONS = set(_WORDS["ai_descriptions"])


@dataclass(slots=True)
class Story:
    """Summary of one manifest, including its ingredients."""

    points_to: PointsTo = "nothing"
    signals: list[str] = field(default_factory=list)  # the rubrics' names
    agents: list[str] = field(default_factory=list)  # software that acted
    manifests: list[str] = field(default_factory=list)  # labels of the manifests that were read

    def add(self, other: Story) -> None:
        for mine, theirs in (
            (self.signals, other.signals),
            (self.agents, other.agents),
            (self.manifests, other.manifests),
        ):
            mine += [item for item in theirs if item not in mine]


def tell(manifests: Mapping[str, Any], label: str, usable: Set[str], depth: int = 0) -> Story:
    """The story of manifest `label`. Ingredients' manifests count when they are in `usable`.

    AI-made remains AI-made after any edit, AI-edited remains AI-edited, a capture remains one only if unedited.
    """
    manifest = manifests.get(label)
    story = Story(manifests=[label])
    if not isinstance(manifest, Mapping) or depth > _MAX_DEPTH:
        return story
    actions = list(_actions(manifest))
    story.signals = list(dict.fromkeys(signal for action in actions for signal in _signals(action)))
    named = [one for action in actions for one in (_agent(action), _parameter(action, "com.adobe.details"))]
    story.agents = list(dict.fromkeys(one for one in named if isinstance(one, str) and one))
    parents: list[Story | None] = []
    components: list[Story | None] = []
    for relationship, child in _ingredients(manifest):
        ingredient = None
        if child and child in usable and child != label:
            ingredient = tell(manifests, child, usable - {label}, depth + 1)
        (parents if relationship == "parentOf" else components).append(ingredient)
    story.points_to = _points_to(story.signals, actions, parents, components)
    for ingredient in parents + components:
        if ingredient:
            story.add(ingredient)
        elif "mediaUnknownProvenance" not in story.signals:
            story.signals.append("mediaUnknownProvenance")
    return story


def _points_to(
    signals: list[str],
    actions: list[Mapping[str, Any]],
    parents: list[Story | None],
    components: list[Story | None],
) -> PointsTo:
    pointers = [story.points_to for story in parents if story]
    if "fullyGenAIMedia" in signals or "ai" in pointers:
        return "ai"
    touched = {"perceptibleGenAI", "partlyGenAICreation"} & set(signals)
    if (
        touched
        or "ai_edited" in pointers
        or any(s and s.points_to in ("ai", "ai_edited") for s in components)
    ):
        return "ai_edited"
    captured = {"capturedMedia", "capturedMediaStitched"} & set(signals)
    untouched = all(a.get("action") in _INCEPTION | _NON_EDITORIAL for a in actions) and not components
    if untouched and (
        (captured and not parents) or (not captured and pointers == ["real"] and len(parents) == 1)
    ):
        return "real"
    return "nothing"


def _signals(action: Mapping[str, Any]) -> Iterator[str]:
    name = action.get("action")
    # Adobe's applications say of partners' models in a parameter of their own what they do not say in the standard one.
    term = source_type(action.get("digitalSourceType")) or source_type(
        _parameter(action, "com.adobe.digitalSourceType")
    )
    if name in _INCEPTION:
        if _agent(action) in _AI_AGENTS or str(action.get("description")) in _AI_DESCRIPTIONS:
            term = term or MADE_BY_AI
        if term in _INCEPTION_SIGNALS:
            yield _INCEPTION_SIGNALS[term]
    elif name in _NON_EDITORIAL:
        yield "nonEditorial"
    elif term in _GENERATIVE:
        yield "perceptibleGenAI"
    elif term in _POSSIBLY_GENERATIVE:
        yield "perceptiblePossiblyGenAI"
    elif term:
        yield "perceptibleNonGenAI"
    else:
        yield "ambiguousActions"


def _actions(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every action of the manifest; the oldest producers wrote a bare list under the label "actions"."""
    count = 0
    for assertion in _mappings(manifest.get("assertions")):
        if str(assertion.get("label")).split(".v", 1)[0].split("__", 1)[0] not in ("c2pa.actions", "actions"):
            continue
        data = assertion.get("data")
        for action in _mappings(data.get("actions") if isinstance(data, Mapping) else data):
            count += 1
            if count > _MAX_ACTIONS:
                return
            if isinstance(action.get("action"), str):  # hostile claims name lists and maps
                yield action


def _ingredients(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """(relationship, label of the ingredient's manifest or None) of what went into the picture."""
    for ingredient in _mappings(manifest.get("ingredients")):
        relationship = str(ingredient.get("relationship"))
        if relationship in ("parentOf", "componentOf"):  # inputTo: a model's input, not part of the picture
            child = ingredient.get("active_manifest")
            yield relationship, child if isinstance(child, str) else None


def _parameter(action: Mapping[str, Any], name: str) -> object:
    parameters = action.get("parameters")
    return parameters.get(name) if isinstance(parameters, Mapping) else None


def _agent(action: Mapping[str, Any]) -> str | None:
    agent = action.get("softwareAgent")
    name = agent.get("name") if isinstance(agent, Mapping) else agent
    return name if isinstance(name, str) and name else None


def _mappings(items: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(items, list):
        yield from (item for item in items if isinstance(item, Mapping))
