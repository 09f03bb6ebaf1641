"""What the README tells a newcomer to type exists: commands, options, targets of make, extras."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from imageprocess.cli import main

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^ {4,}(imageprocess .+?)(?: {2,}#.*)?$", TEXT, re.M)


def _options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_and_their_options(line: str) -> None:
    words = shlex.split(line.split(" < ")[0])[1:]
    command: click.Command = main
    while isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(click.Context(command), name)
        assert found, f"{line}: there is no {name}"
        command = found
    given = {word.split("=")[0] for word in words if re.match("-.", word)}
    assert given <= _options(command), f"{line}: {given - _options(command)}"


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 10


def test_targets_of_make() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = set(re.findall(r"(?:`|^ {4})make (\w+)", TEXT, re.M))
    assert {"serve", "test"} <= named <= targets, named - targets


def test_every_extra_is_named_with_what_it_adds() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    table = TEXT.split("| extra | adds |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) >= extras.keys() - {"dev"}


def test_links_into_the_tree() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / target).exists(), target
