"""Parses `--taps`: the encoder blocks whose tokens the head reads."""

from __future__ import annotations

import re

import click


def numbers_or_names(text: str) -> tuple[int | str, ...]:
    """ "5,6,9-11" -> block numbers; anything else -> names of tensors."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise click.BadParameter("empty; give blocks (5,6,9-11) or names of tensors", param_hint="--taps")
    found: list[int | str] = []
    for part in parts:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match:
            found.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
        else:
            found.append(part)
    return tuple(found)


def block_numbers(text: str) -> tuple[int, ...]:
    """ "5,6,9-11" -> (5, 6, 9, 10, 11)"""
    found = numbers_or_names(text)
    if wrong := [tap for tap in found if not isinstance(tap, int)]:
        raise click.BadParameter(f"{wrong[0]!r} is not a block number", param_hint="--taps")
    return tuple(tap for tap in found if isinstance(tap, int))
