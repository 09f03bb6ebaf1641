"""Images of known verdicts in the current folder, and `imageprocess detect` on the tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from imageprocess.cli import main
from testkit.pictures import encode, plain


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """bright.png (AI), dark.jpg (real), grey.webp (unsure), broken.png, sub/bright.png; the working directory."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "bright.png").write_bytes(encode(plain(255), "PNG"))
    (tmp_path / "dark.jpg").write_bytes(encode(plain(0), "JPEG"))
    (tmp_path / "grey.webp").write_bytes(encode(plain(140), "WEBP"))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "sub" / "bright.png").write_bytes(encode(plain(250), "PNG"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def detect(tiny_model_dir: Path) -> Any:
    def run(*arguments: str, stdin: bytes = b"", model: bool = True) -> Result:
        chosen = ["--model", str(tiny_model_dir)] if model else []
        return CliRunner().invoke(
            main, ["detect", *arguments, *chosen], input=stdin, prog_name="imageprocess"
        )

    return run
