"""Commands, version and models on the command line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from imageprocess import __version__
from imageprocess.cli import _COMMANDS, main
from imageprocess.model import registry

RUN = CliRunner()


@pytest.fixture
def shipped(tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose only shipped model is the tiny model."""
    folder = shutil.copytree(tiny_model_dir, tmp_path / "models" / "tiny")
    monkeypatch.setattr(registry, "MODELS", folder.parent)
    monkeypatch.setattr(registry, "DEFAULT_MODEL", "tiny")
    return folder


def test_version(shipped: Path) -> None:
    sha256 = json.loads((shipped / "model.json").read_text())["files"]["model.onnx"]
    expected = f"imageprocess {__version__} (model tiny 1, sha256 {sha256[:12]})\n"
    assert RUN.invoke(main, ["--version"]).output == expected


def test_version_without_model(shipped: Path) -> None:
    shutil.rmtree(shipped)
    assert RUN.invoke(main, ["--version"]).output == f"imageprocess {__version__} (no model installed)\n"


def test_help_lists_installed_commands() -> None:
    output = RUN.invoke(main, ["--help"]).output
    here = {path.stem for path in Path(main.callback.__code__.co_filename).parent.glob("*.py")}
    listed = set(re.findall(r"^  ([a-z]+)  ", output, re.MULTILINE))
    assert listed == here & set(_COMMANDS)
    assert {"detect", "model"} <= listed


@pytest.mark.parametrize("verb", sorted(_COMMANDS))
def test_every_command_has_help(verb: str) -> None:
    listed = main.list_commands(None)  # type: ignore[arg-type]
    result = RUN.invoke(main, [verb, "--help"])
    assert result.exit_code == (0 if verb in listed else 2), result.output


def test_unknown_command_is_usage_error() -> None:
    assert RUN.invoke(main, ["detekt"]).exit_code == 2


def test_model_list_info_verify(shipped: Path) -> None:
    assert re.fullmatch(r"\* tiny  1  [0-9a-f]{12}\n", RUN.invoke(main, ["model", "list"]).output)
    assert json.loads(RUN.invoke(main, ["model", "info"]).output)["name"] == "tiny"
    assert RUN.invoke(main, ["model", "verify"]).output == "tiny 1: 2 files verified\n"
    (shipped / "CARD.md").write_text("better figures")
    result = RUN.invoke(main, ["model", "verify", str(shipped)])
    assert result.exit_code == 2 and "sha256" in result.stderr


def test_export_to_folder_and_file(shipped: Path, tmp_path: Path) -> None:
    assert RUN.invoke(main, ["model", "export", "tiny", str(tmp_path / "copy")]).exit_code == 0
    assert registry.verify(tmp_path / "copy").name == "tiny"
    to = tmp_path / "graph.onnx"
    assert RUN.invoke(main, ["model", "export", "tiny", str(to), "--file", "model.onnx"]).exit_code == 0
    assert to.read_bytes() == (shipped / "model.onnx").read_bytes()


def test_export_of_weights_missing_from_wheel_names_their_location(shipped: Path, tmp_path: Path) -> None:
    facts = json.loads((shipped / "model.json").read_text())
    facts["files"]["tiny_model.pth"] = "0" * 64
    (shipped / "model.json").write_text(json.dumps(facts))
    assert RUN.invoke(main, ["model", "verify"]).output == "tiny 1: 2 files verified\n"
    result = RUN.invoke(main, ["model", "export", "tiny", str(tmp_path / "w"), "--file", "tiny_model.pth"])
    assert result.exit_code == 2 and "repository" in result.stderr and not (tmp_path / "w").exists()


@pytest.mark.parametrize("options", [[], ["--file", "model.onnx"]])
def test_export_error_names_missing_target(shipped: Path, tmp_path: Path, options: list[str]) -> None:
    to = tmp_path / "models" / "tiny" / "CARD.md" / "x"
    result = RUN.invoke(main, ["model", "export", "tiny", str(to), *options])
    assert (result.exit_code, result.stderr) == (2, f"Error: {to}: Not a directory\n")


def test_export_reports_copy_error(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Path, to: Path) -> None:
        raise shutil.Error([(shipped / "CARD.md", to / "CARD.md", "[Errno 28] No space left on device")])

    monkeypatch.setattr(shutil, "copytree", fails)
    result = RUN.invoke(main, ["model", "export", "tiny", str(tmp_path / "copy")])
    assert result.exit_code == 2 and result.stderr.startswith(f"Error: {tmp_path}/copy/CARD.md: [Errno 28]")


@pytest.mark.parametrize(
    "arguments", [["there"], ["new", "--file", "../tiny/model.onnx"], ["new", "--file", "x"]]
)
def test_export_rejects_invalid_requests(shipped: Path, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "there").mkdir()
    result = RUN.invoke(main, ["model", "export", "tiny", str(tmp_path / arguments[0]), *arguments[1:]])
    assert result.exit_code == 2
    assert not (tmp_path / "new").exists() and not list((tmp_path / "there").iterdir())
