"""The record of a generator on one image, and its conversion to evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...types import Evidence, ImageFacts, PointsTo
from ..statements import evidence, printable

# According to the record, the image was generated, or an input image was edited; or the record does not say.
How = Literal["made", "edited", "unclear"]
_POINTS_TO: dict[How, PointsTo] = {"made": "ai", "edited": "ai_edited", "unclear": "nothing"}


@dataclass(frozen=True, slots=True)
class Generation:
    """The record of a generator. Texts are verbatim; None if the record does not have them."""

    generator: str
    how: How = "made"
    prompt: str | None = None
    negative_prompt: str | None = None
    seed: int | str | None = None
    sampler: str | None = None
    model: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    size: tuple[int, int] | None = None  # (width, height) that the record describes
    resized: bool = False  # whether steps after generation may have changed the size, but not the proportions


def to_evidence(generation: Generation, facts: ImageFacts) -> Evidence:
    """A record whose image size contradicts that of the file may belong to another image: it points to nothing."""
    described = "x".join(map(str, generation.size)) if generation.size else None
    name = printable(generation.generator, 80)
    how = generation.how
    if (
        generation.how == "made"
        and generation.size
        and not size_fits(generation.size, generation.resized, facts)
    ):
        how = "unclear"
        claim = (
            f"A record by {name} describes a picture of {described} pixels, but this one has "
            f"{facts.width}x{facts.height}: it may belong to another picture."
        )
    elif how == "made":
        claim = f"A record by {name} says that this picture was generated with AI."
    elif how == "edited":
        claim = f"A record by {name} says that an input picture was edited with AI."
    else:
        claim = f"A record by {name} is in the file, but it does not say that this picture was generated."
    return evidence(
        "generator_metadata",
        claim,
        "unsigned",
        _POINTS_TO[how],
        proves="That the file contains a well-formed record of the kind that this generator writes.",
        does_not_prove="That the record belongs to this picture or that it is true: it is not signed, and anyone can "
        "copy, change or remove it.",
        generator=generation.generator,
        how=how,
        prompt=generation.prompt,
        negative_prompt=generation.negative_prompt,
        seed=generation.seed,
        sampler=generation.sampler,
        model=generation.model,
        settings=dict(generation.settings),
        described_size=described,
    )


def size_fits(size: tuple[int, int], resized: bool, facts: ImageFacts) -> bool:
    """Whether an image of this size fits the record: the same size, or with resizing steps the same proportions.

    Latents have steps of 8 pixels, so sides may differ by up to 8 pixels, scaled with the image.
    """
    width, height = size
    if not resized:
        return abs(facts.width - width) <= 8 and abs(facts.height - height) <= 8
    scale = facts.width / width
    return abs(facts.height - height * scale) <= 8 * max(1.0, scale)


def text_of(value: Any) -> str | None:
    """`value` if it is a non-empty text, a number as text, or None."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def scalars(record: Mapping[str, Any], exclude: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The texts and numbers of the record, for display."""
    return {
        k: v for k, v in record.items() if k not in exclude and isinstance(v, str | int | float) and v != ""
    }
