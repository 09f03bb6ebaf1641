"""Any command that prints path<TAB>probability is measured on the very files that a model is."""

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

# A detector of its own make: mean brightness of each file in the folder that it is given.
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


def test_a_command_is_measured_like_a_model(tmp_path, drawn_set, tiny_model_dir):
    command = script(tmp_path, _BRIGHTNESS)
    found = evaluate(
        read_dataset(drawn_set), [tiny_model_dir], ["raw", "thumb"], commands=[command], jobs=1, resamples=0
    )
    _, theirs = found.record["models"]
    assert theirs["name"] == "brightness" and list(theirs["thresholds"]) == ["best-guess"]
    for tier in ("raw", "thumb"):
        assert theirs["tiers"][tier]["by_picture"]["accuracy"] == pytest.approx(21 / 24)
    assert theirs["honesty"]["blank"]["auroc"] == 0.5


def test_file_names_tell_nothing(tmp_path, drawn_set):
    """A command that scores by the file's name alone is at chance."""
    by_name = _BRIGHTNESS.split("    print")[0] + "    print(path, int(path.stem) / 100, sep='\\t')"
    scores = score_by_command(script(tmp_path, by_name), read_dataset(drawn_set).pictures, ["raw"], jobs=1)[0]
    is_ai = np.array([picture.is_ai for picture in read_dataset(drawn_set).pictures])
    assert 0.25 < (scores[is_ai][:, None] > scores[~is_ai][None]).mean() < 0.75


def test_the_folder_goes_where_the_command_names_it(tmp_path, drawn_set):
    code = _BRIGHTNESS.replace("sys.argv[1]", "sys.argv[2].removeprefix('in:')")
    command = script(tmp_path, code, "--input", "in:{folder}")
    assert not np.isnan(score_by_command(command, read_dataset(drawn_set).pictures, ["raw"], jobs=1)).any()


def test_a_picture_that_the_command_is_silent_of_is_told(tmp_path, drawn_set):
    silent = _BRIGHTNESS.replace(
        "for path in sorted(Path(sys.argv[1]).iterdir()):",
        """
for path in sorted(Path(sys.argv[1]).iterdir())[1:]:""",
    )
    found = evaluate(
        read_dataset(drawn_set), [], ["raw"], commands=[script(tmp_path, silent)], jobs=1, resamples=0
    )
    (told,) = found.record["data"]["not_scored"]
    assert told["why"] == "brightness gives no score" and len(found.pictures) == 23


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('a.png 0.5')", "expected path<TAB>probability"),
        ("print('a.png\\t1.5')", "from 0 to 1"),
        ("raise SystemExit('no weights')", r"exit status 1 \(no weights\)"),
    ],
)
def test_what_goes_wrong_is_told(tmp_path, drawn_set, code, words):
    with pytest.raises(ModelError, match=words):
        score_by_command(script(tmp_path, code), read_dataset(drawn_set).pictures, ["raw"], jobs=1)


def test_a_command_that_is_not_there(drawn_set):
    with pytest.raises(ModelError, match="cannot be run"):
        score_by_command(
            Command("x", "/no/such/program"), read_dataset(drawn_set).pictures[:1], ["raw"], jobs=1
        )


def test_names_of_commands():
    assert parse_command("peer=python x.py --a=b {folder}") == Command("peer", "python x.py --a=b {folder}")
    assert parse_command("/opt/peer/run --a=b") == Command("run", "/opt/peer/run --a=b")
    with pytest.raises(ModelError, match="NAME=COMMAND"):
        parse_command("peer=")
