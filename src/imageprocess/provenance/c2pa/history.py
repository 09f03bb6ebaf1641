"""Derives from the actions of manifests how the image was made, in the vocabulary of C2PA's public asset rubrics
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
_NON_EDITORIAL = set(_WORDS["non_editorial"])  # mechanical or administrative: the content does not change
_GENERATIVE = set(_WORDS["generative"])
_POSSIBLY_GENERATIVE = set(_WORDS["possibly_generative"])
_INCEPTION_SIGNALS: dict[str, str] = _WORDS["inception_signals"]
# Microsoft's Image Creator writes no digitalSourceType, but its name.
_AI_AGENTS = set(_WORDS["ai_agents"])
_AI_DESCRIPTIONS = set(_WORDS["ai_descriptions"])


@dataclass(slots=True)
class History:
    """Summary of one manifest, including its ingredients."""

    points_to: PointsTo = "nothing"
    signals: list[str] = field(default_factory=list)  # the rubrics' names
    agents: list[str] = field(default_factory=list)  # software that performed actions
    manifests: list[str] = field(default_factory=list)  # labels of the manifests that were read

    def add(self, other: History) -> None:
        for items, new_items in (
            (self.signals, other.signals),
            (self.agents, other.agents),
            (self.manifests, other.manifests),
        ):
            items += [item for item in new_items if item not in items]


def summarise(manifests: Mapping[str, Any], label: str, usable: Set[str], depth: int = 0) -> History:
    """The history of manifest `label`. Manifests of ingredients count if they are in `usable`.

    AI-made remains AI-made after any edit, AI-edited remains AI-edited, a capture remains one only if unedited.
    """
    manifest = manifests.get(label)
    history = History(manifests=[label])
    if not isinstance(manifest, Mapping) or depth > _MAX_DEPTH:
        return history
    actions = list(_actions(manifest))
    history.signals = list(dict.fromkeys(signal for action in actions for signal in _signals(action)))
    names = [name for action in actions for name in (_agent(action), _parameter(action, "com.adobe.details"))]
    history.agents = list(dict.fromkeys(name for name in names if isinstance(name, str) and name))
    parents: list[History | None] = []
    components: list[History | None] = []
    for relationship, child in _ingredients(manifest):
        ingredient = None
        if child and child in usable and child != label:
            ingredient = summarise(manifests, child, usable - {label}, depth + 1)
        (parents if relationship == "parentOf" else components).append(ingredient)
    history.points_to = _points_to(history.signals, actions, parents, components)
    for ingredient in parents + components:
        if ingredient:
            history.add(ingredient)
        elif "mediaUnknownProvenance" not in history.signals:
            history.signals.append("mediaUnknownProvenance")
    return history


def _points_to(
    signals: list[str],
    actions: list[Mapping[str, Any]],
    parents: list[History | None],
    components: list[History | None],
) -> PointsTo:
    pointers = [history.points_to for history in parents if history]
    if "fullyGenAIMedia" in signals or "ai" in pointers:
        return "ai"
    ai_signals = {"perceptibleGenAI", "partlyGenAICreation"} & set(signals)
    if (
        ai_signals
        or "ai_edited" in pointers
        or any(s and s.points_to in ("ai", "ai_edited") for s in components)
    ):
        return "ai_edited"
    is_capture = bool({"capturedMedia", "capturedMediaStitched"} & set(signals))
    is_unedited = all(a.get("action") in _INCEPTION | _NON_EDITORIAL for a in actions) and not components
    if is_unedited and (
        (is_capture and not parents) or (not is_capture and pointers == ["real"] and len(parents) == 1)
    ):
        return "real"
    return "nothing"


def _signals(action: Mapping[str, Any]) -> Iterator[str]:
    name = action.get("action")
    # For models of partners, Adobe's applications write the source type into their own parameter, not the standard one.
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
            if isinstance(action.get("action"), str):  # hostile claims have lists and maps here
                yield action


def _ingredients(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """(relationship, label of the ingredient's manifest or None) of each part of the image."""
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
