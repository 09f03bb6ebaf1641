"""External detectors: commands that print path<TAB>probability, scored on the same files as models."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from imageprocess.errors import ModelError
from imageprocess.evaluate.commands import Command, parse_command, score_by_command
from imageprocess.evaluate.pictures import read_dataset
from imageprocess.evaluate.study import evaluate

# A stand-alone detector: mean brightness of each file in a folder.
_BRIGHTNESS = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path, float(np.asarray(Image.open(path).convert("RGB")).mean() / 255), sep="\\t")
"""


def script(folder: Path, code: str, *arguments: str) -> Command:
    path = folder / "detector.py"
    path.write_text(code, encoding="utf-8")
    return Command("brightness", shlex.join([sys.executable, str(path), *arguments]))


def test_external_command_is_scored_like_a_model(tmp_path, small_dataset, tiny_model_dir):
    command = script(tmp_path, _BRIGHTNESS)
    study = evaluate(
        read_dataset(small_dataset),
        [tiny_model_dir],
        ["raw", "thumb"],
        commands=[command],
        jobs=1,
        resamples=0,
    )
    _, model = study.record["models"]
    assert model["name"] == "brightness" and list(model["thresholds"]) == ["best-guess"]
    for tier in ("raw", "thumb"):
        assert model["tiers"][tier]["by_picture"]["accuracy"] == pytest.approx(21 / 24)
    assert model["honesty"]["blank"]["auroc"] == 0.5


def test_file_names_do_not_leak_labels(tmp_path, small_dataset):
    """A command that uses only the file name is at chance."""
    by_name = _BRIGHTNESS.split("    print")[0] + "    print(path, int(path.stem) / 100, sep='\\t')"
    scores = score_by_command(
        script(tmp_path, by_name), read_dataset(small_dataset).pictures, ["raw"], jobs=1
    )[0]
    is_ai = np.array([picture.is_ai for picture in read_dataset(small_dataset).pictures])
    assert 0.25 < (scores[is_ai][:, None] > scores[~is_ai][None]).mean() < 0.75


def test_command_folder_placeholder(tmp_path, small_dataset):
    code = _BRIGHTNESS.replace("sys.argv[1]", "sys.argv[2].removeprefix('in:')")
    command = script(tmp_path, code, "--input", "in:{folder}")
    assert not np.isnan(
        score_by_command(command, read_dataset(small_dataset).pictures, ["raw"], jobs=1)
    ).any()


def test_image_without_command_output_is_reported(tmp_path, small_dataset):
    silent = _BRIGHTNESS.replace(
        "for path in sorted(Path(sys.argv[1]).iterdir()):",
        """
for path in sorted(Path(sys.argv[1]).iterdir())[1:]:""",
    )
    study = evaluate(
        read_dataset(small_dataset), [], ["raw"], commands=[script(tmp_path, silent)], jobs=1, resamples=0
    )
    (not_scored,) = study.record["data"]["not_scored"]
    assert not_scored["why"] == "brightness gives no score" and len(study.pictures) == 23


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('a.png 0.5')", "expected path<TAB>probability"),
        ("print('a.png\\t1.5')", "from 0 to 1"),
        ("raise SystemExit('no weights')", r"exit status 1 \(no weights\)"),
    ],
)
def test_command_errors_are_reported(tmp_path, small_dataset, code, words):
    with pytest.raises(ModelError, match=words):
        score_by_command(script(tmp_path, code), read_dataset(small_dataset).pictures, ["raw"], jobs=1)


def test_missing_command(small_dataset):
    with pytest.raises(ModelError, match="cannot be run"):
        score_by_command(
            Command("x", "/no/such/program"), read_dataset(small_dataset).pictures[:1], ["raw"], jobs=1
        )


def test_command_names():
    assert parse_command("peer=python x.py --a=b {folder}") == Command("peer", "python x.py --a=b {folder}")
    assert parse_command("/opt/peer/run --a=b") == Command("run", "/opt/peer/run --a=b")
    with pytest.raises(ModelError, match="NAME=COMMAND"):
        parse_command("peer=")
