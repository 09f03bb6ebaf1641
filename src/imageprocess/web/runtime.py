"""Downloads WebAssembly with npm and copies it to the pages: ONNX Runtime, which runs the model in a browser, and c2pa,
which verifies signatures of Content Credentials in a browser when the user asks for it.

Run by `make web` and by the wheel build, in which only the standard library is available.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
# Folder in assets -> npm package, and the files to copy from it.
PARTS = {
    "ort": (
        "onnxruntime-web",
        ("dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm"),
    ),
    "c2pa": ("@contentauth/c2pa-wasm", ("pkg/c2pa.js", "pkg/c2pa_bg.wasm", "LICENSE")),
}
# npm retries after a refused connection or a server error, with these delays in ms, but not after a 404 or a damaged
# download. In these cases the whole command is run again.
_RETRIES = ("--fetch-retries=3", "--fetch-retry-mintimeout=1000", "--fetch-retry-factor=2")
_COMMAND = (
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--loglevel=error",
    *_RETRIES,
)
_ATTEMPTS = 2
# A JavaScript stack frame, or a line of the error object's fields.
_STACK = re.compile(r"at \S+ .*\(|at \S+:\d|\}|\w+: .*,$|type: '")


def build(root: Path, assets: Path = ASSETS) -> str | None:
    """Install the packages that package-lock.json in `root` pins, and copy their files into `assets`. Returns an error
    message, or None on success."""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is missing"
    problem = _install(npm, root)
    if problem:
        return f"npm could not fetch the runtime ({problem})"
    for name, (package, files) in PARTS.items():
        source, folder = root / "node_modules" / package, assets / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(source / file, folder / Path(file).name)
        version = json.loads((source / "package.json").read_text(encoding="utf-8"))["version"]
        (folder / "runtime.json").write_text(json.dumps({"version": version}) + "\n", encoding="utf-8")
    return None


def is_complete() -> bool:
    """Whether all packages have been copied into the assets."""
    return all((ASSETS / name / "runtime.json").is_file() for name in PARTS)


def _install(npm: str, root: Path) -> str | None:
    """Run `npm ci` in `root`. Returns npm's error message if all attempts fail, else None."""
    for _ in range(_ATTEMPTS):
        process = subprocess.run([npm, *_COMMAND], cwd=root, capture_output=True, text=True, errors="replace")
        if process.returncode == 0:
            return None
    return _message(process.stderr) or f"exit status {process.returncode}"


def _message(stderr: str) -> str:
    """npm's error message in one line, without the stack trace and the path of the log file."""
    lines = [line.removeprefix("npm error").strip() for line in stderr.splitlines()]
    lines = [line for line in lines if not _STACK.match(line)]
    return "; ".join(
        line for line in lines if line and "complete log of this run" not in line and "-debug-" not in line
    )


if __name__ == "__main__":
    problem = build(Path.cwd())
    if problem:
        sys.exit(f"{problem}: private mode is not built; the service runs without it")
