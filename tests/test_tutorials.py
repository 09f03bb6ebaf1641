"""The commands of each tutorial run as written, in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from testkit.pictures import encode, scene

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
_ENDLESS = re.compile(r"^imageprocess watch .*\n", re.MULTILINE)  # covered by tests/cli/test_watch.py


def _commands(tutorial: str) -> str:
    blocks = re.findall(
        r"^```sh\n(.*?)^```$", (TUTORIALS / tutorial).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return _ENDLESS.sub("", "".join(blocks))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the tutorials assume, and `imageprocess` on the PATH."""
    program = tmp_path / "bin" / "imageprocess"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nfrom imageprocess.cli import main\nif __name__ == '__main__':\n    main()\n"
    )
    program.chmod(0o755)
    for number, name in enumerate(["photo.jpg", "pictures/a.png", "pictures/b/c.png", *_write_images()]):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(scene(number), "JPEG" if path.suffix == ".jpg" else "PNG"))
    return tmp_path


def _write_images() -> list[str]:
    return [f"my-pictures/{label}/{number}.jpg" for label in ("ai", "real") for number in range(3)]


@pytest.mark.parametrize(
    ("tutorial", "output"),
    [
        ("check.md", ["maps/photo.heatmap.png", "report.html"]),
        ("folder.md", ["verdicts.csv", "verdicts.jsonl", "listed.jsonl", "scores.jsonl"]),
        ("numbers.md", ["report.html", "report.json"]),
    ],
)
def test_tutorial_commands_run(tutorial: str, output: list[str], folder: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "IMAGEPROCESS_HOME": str(folder / "home"),  # without clip: the small model is used
    }
    script = f"set -ex\n{_commands(tutorial)}"
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    for name in output:
        assert (folder / name).stat().st_size > 0
