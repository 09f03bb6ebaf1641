"""Run the README's Python example on the sample images of the repository, and write it with its output.

    python -m bench.readme_example [--check]

Uses only the models of the package. --check writes nothing and exits with 1 if the README is out of date.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path

from bench.markers import between, write_between

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
CODE = """\
import imageprocess

for name in ("lake.png", "spheres.webp", "street.jpg"):
    verdict = imageprocess.detect(f"src/imageprocess/web/assets/samples/{name}").verdict
    print(f"{name}: {verdict.label} ({verdict.grade}), decided by {verdict.decided_by}")
"""


def example() -> str:
    output = io.StringIO()
    with tempfile.TemporaryDirectory() as home, contextlib.chdir(ROOT), contextlib.redirect_stdout(output):
        os.environ["IMAGEPROCESS_HOME"] = home
        exec(CODE, {})
    return f"```python\n{CODE}```\n\n```text\n{output.getvalue()}```"


def main() -> None:
    if "--check" not in sys.argv[1:]:
        write_between(README, "example", example())
    elif between(README, "example") != example():
        sys.exit(f"{README}: the example is out of date; run: python -m bench.readme_example")


if __name__ == "__main__":
    main()
