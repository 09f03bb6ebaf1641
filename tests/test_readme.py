"""Commands, options, make targets, extras, links and figures in the README are valid."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from PIL import Image

from imageprocess.cli import main
from testkit.pictures import scene

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^ {4,}(imageprocess .+?)(?: {2,}#.*)?$", TEXT, re.M)


def _options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}


@pytest.mark.parametrize("line", COMMANDS)
def test_readme_commands_and_options_exist(line: str) -> None:
    words = shlex.split(line.split(" < ")[0])[1:]
    command: click.Command = main
    while isinstance(command, click.Group):
        name = words.pop(0)
        subcommand = command.get_command(click.Context(command), name)
        assert subcommand, f"{line}: no command {name}"
        command = subcommand
    options = {word.split("=")[0] for word in words if re.match("-.", word)}
    assert options <= _options(command), f"{line}: {options - _options(command)}"


def test_readme_has_commands() -> None:
    assert len(COMMANDS) > 10


def test_readme_make_targets_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = set(re.findall(r"(?:`|^ {4})make (\w+)", TEXT, re.M))
    assert {"serve", "test"} <= named <= targets, named - targets


def test_readme_lists_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    table = TEXT.split("| extra | adds |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) >= extras.keys() - {"dev"}


def test_readme_links_resolve() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / target).exists(), target


def test_documented_hash_commands_match_report(tmp_path: Path) -> None:
    photo, report = tmp_path / "photo.jpg", tmp_path / "photo.html"
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    scene(5, 320, 200).save(photo, quality=90, exif=exif)
    command = [sys.executable, "-m", "imageprocess", "detect", str(photo), "--report", str(report), "--quiet"]
    subprocess.run(command, check=True, capture_output=True)
    text = report.read_text(encoding="utf-8")
    page = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    lines = re.findall(r"^ {4}(sha256sum .+|python3 -c .+)$", page, re.M)
    assert len(lines) == 2
    for line in lines:
        words = [sys.executable if word == "python3" else word for word in shlex.split(line)]
        completed = subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        assert completed.split()[0] in text, line


def test_readme_example_output() -> None:
    command = [sys.executable, "-m", "bench.readme_example", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_headline_figures_match_benchmarks() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    reached = _rows(page, "reached")
    columns = reached[0]
    table = {row[0]: dict(zip(columns, row, strict=True)) for row in reached if row[1] == "web"}
    (_, _, *models), _, *rows = _rows(TEXT, "headline")
    assert len(rows) == 4 and list(table) == models
    for name, _, *figures in rows:
        assert figures == [table[model][name] for model in models]


def _rows(page: str, name: str) -> list[list[str]]:
    """Cells of the table between the markers `name`."""
    text = page.split(f"<!-- {name}:begin -->")[1].split(f"<!-- {name}:end -->")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"]
