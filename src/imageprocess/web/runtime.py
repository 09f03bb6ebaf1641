"""ONNX Runtime's WebAssembly build, fetched by npm and put beside the pages: what lets the model run in a browser.

Run by `make web` and by the build of a wheel. Standard library alone, and nothing of ours: neither has more.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

_PACKAGE = Path("node_modules") / "onnxruntime-web"
_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
FOLDER = Path(__file__).parent / "assets" / "ort"


def build(root: Path, folder: Path = FOLDER) -> str | None:
    """Fetch what package-lock.json in `root` pins and put it into `folder`. -> what is in the way, or None."""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is missing"
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    if subprocess.run(command, cwd=root, stdout=sys.stderr).returncode:
        return "npm could not fetch the runtime"
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copyfile(root / _PACKAGE / "dist" / name, folder / name)
    version = json.loads((root / _PACKAGE / "package.json").read_text(encoding="utf-8"))["version"]
    (folder / "runtime.json").write_text(json.dumps({"version": version}) + "\n", encoding="utf-8")
    return None


if __name__ == "__main__":
    problem = build(Path.cwd())
    if problem:
        sys.exit(f"{problem}: private mode is not built, the service does without")
