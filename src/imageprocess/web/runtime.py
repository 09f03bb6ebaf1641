"""WebAssembly fetched by npm and put beside the pages: ONNX Runtime, by which the model runs in a browser, and c2pa, by
which a browser checks the signatures of Content Credentials where a person asks for it.

Run by `make web` and by the build of a wheel. Standard library alone, and nothing of ours: neither has more.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
# Folder below assets -> the package, and its files.
_PARTS = {
    "ort": (
        "onnxruntime-web",
        ("dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm"),
    ),
    "c2pa": ("@contentauth/c2pa-wasm", ("pkg/c2pa.js", "pkg/c2pa_bg.wasm", "LICENSE")),
}


def build(root: Path, assets: Path = ASSETS) -> str | None:
    """Fetch what package-lock.json in `root` pins and put it below `assets`. -> what is in the way, or None."""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is missing"
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    if subprocess.run(command, cwd=root, stdout=sys.stderr).returncode:
        return "npm could not fetch the runtime"
    for name, (package, files) in _PARTS.items():
        source, folder = root / "node_modules" / package, assets / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(source / file, folder / Path(file).name)
        version = json.loads((source / "package.json").read_text(encoding="utf-8"))["version"]
        (folder / "runtime.json").write_text(json.dumps({"version": version}) + "\n", encoding="utf-8")
    return None


if __name__ == "__main__":
    problem = build(Path.cwd())
    if problem:
        sys.exit(f"{problem}: private mode is not built, the service does without")
