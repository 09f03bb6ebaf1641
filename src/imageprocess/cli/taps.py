"""Parses `--taps`: the encoder blocks whose tokens the head reads."""

from __future__ import annotations

import re

import click


def numbers_or_names(text: str) -> tuple[int | str, ...]:
    """ "5,6,9-11" -> block numbers; anything else -> names of tensors."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise click.BadParameter("empty; give blocks (5,6,9-11) or names of tensors", param_hint="--taps")
    values: list[int | str] = []
    for part in parts:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match:
            values.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
        else:
            values.append(part)
    return tuple(values)


def block_numbers(text: str) -> tuple[int, ...]:
    """ "5,6,9-11" -> (5, 6, 9, 10, 11)"""
    values = numbers_or_names(text)
    if wrong := [tap for tap in values if not isinstance(tap, int)]:
        raise click.BadParameter(
            f"{wrong[0]!r} is not a block number; give numbers and ranges such as 5,6,9-11",
            param_hint="--taps",
        )
    return tuple(tap for tap in values if isinstance(tap, int))
