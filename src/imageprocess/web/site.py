"""The files of the site, for the service and the static site, and the JSON files that its pages load."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..model import registry
from ..model.spec import load_spec
from ..provenance.trust import interim_path, path_in_use

WEB = Path(__file__).parent
RUNTIME = WEB / "assets" / "ort"  # copied from npm by `make web`, never committed
PAGES = ("index.html", "predict.html", "docs.html")
DRAWN_MODEL = "cnn"  # the network that the first page visualises
# Files that both Python and the pages read.
_TABLES = {
    "verdict.json": WEB.parent / "verdict.json",
    "tools.json": WEB.parent / "provenance" / "tools.json",
}
_MODEL_FILES = ("model.json", "model.onnx")
_MAX_BYTES = 20_000_000  # of a model that private mode downloads without confirmation
VERIFIER = WEB / "assets" / "c2pa"  # from npm; downloaded only when the user asks for it
_VERIFIER_FILES = ("c2pa.js", "c2pa_bg.wasm", "runtime.json")
_RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm", "runtime.json")


def files(model: Path, thorough: Path | None = None) -> dict[str, Path]:
    """Path relative to the site's root -> file. `model`: the folder of the model for private mode; `thorough`: the
    folder of the larger model that is used on request.
    """
    paths = {name: WEB / name for name in (*PAGES, "sw.js", "manifest.webmanifest")}
    for path in sorted((WEB / "assets").rglob("*")):
        if path.is_file() and VERIFIER not in path.parents:
            paths[path.relative_to(WEB).as_posix()] = path
    paths |= _TABLES
    paths |= {f"model/{name}": model / name for name in _MODEL_FILES}
    if thorough:
        names = (*_MODEL_FILES, "NOTICE")
        paths |= {f"thorough/{name}": thorough / name for name in names if (thorough / name).is_file()}
    drawn = registry.resolve(DRAWN_MODEL)
    # If both are the same network, the page uses the graph of `model`, so that the site does not contain it twice.
    drawn_files = _MODEL_FILES if drawn.resolve() != model.resolve() else ("model.json",)
    return paths | {f"network/{name}": drawn / name for name in drawn_files}


def verifier_files() -> dict[str, Path]:
    """Path relative to the site's root -> file, for the browser's verifier of Content Credentials; {} if it was not
    installed with npm.
    """
    if not all((VERIFIER / name).is_file() for name in _VERIFIER_FILES):
        return {}
    lists = {"trust/conformance.pem": path_in_use(), "trust/interim.pem": interim_path()}
    return {
        **{path.relative_to(WEB).as_posix(): path for path in sorted(VERIFIER.iterdir())},
        **{address: path for address, path in lists.items() if path.is_file()},
    }


def browser_model(model: str | None = None) -> Path:
    """The folder of the model that runs in browsers: `model`, or the one that ships with the package if `model` is None
    or large. Raises ModelError.
    """
    folder = registry.resolve(model or registry.DEFAULT_MODEL)
    return registry.resolve(registry.DEFAULT_MODEL) if _is_large(folder) else folder


def thorough_model(model: str | None = None) -> Path | None:
    """The folder of the model that a browser downloads on request: `model` if it is too large to be downloaded with the
    page, else the best model if it is installed, else None. Raises ModelError.
    """
    folder = registry.resolve(model) if model else None
    return folder if folder and _is_large(folder) else registry.installed(registry.BEST_MODEL)


def _is_large(folder: Path) -> bool:
    try:
        return load_spec(folder).onnx_path.stat().st_size > _MAX_BYTES
    except OSError as error:
        raise ModelError(f"{folder}: model.onnx cannot be read ({error.strerror})") from error


def has_private_mode() -> bool:
    """Whether the runtime of private mode was installed with npm."""
    return all((RUNTIME / name).is_file() for name in _RUNTIME_FILES)


def facts(
    *, service: bool, issues: str | None = None, thorough: Path | None = None, credentials: bool = False
) -> dict[str, Any]:
    """The content of site.json, which the pages load first. `issues`: the address for reports of wrong verdicts, a URL
    that takes `title` and `body` in its query, or mailto:...; None: the page saves the report as a file. `thorough`:
    the folder of the model that is downloaded on request; `credentials`: whether `verifier_files` are served.
    """
    verifier = verifier_files().get("assets/c2pa/c2pa_bg.wasm")
    bytes_thorough = load_spec(thorough).onnx_path.stat().st_size if thorough else None
    return {
        "service": service,
        "private": has_private_mode(),
        "issues": issues,
        "credentials": {"bytes": verifier.stat().st_size} if credentials and verifier else None,
        "thorough": bytes_thorough and {"bytes": bytes_thorough},
    }


def shell(model: Path, thorough: Path | None = None, *, issues: str | None = None) -> dict[str, str]:
    """The content of shell.json: the files that the service worker caches for offline use, each with a hash of its
    content. Large files are cached by the page that needs them, by version.
    """
    large = (".onnx", ".wasm")
    cached = {
        address: path for address, path in files(model, thorough).items() if not address.endswith(large)
    }
    hashes = {address: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for address, path in cached.items()}
    return {"site.json": issues or "", **hashes}


def build(
    out: Path,
    model: Path,
    *,
    thorough: Path | None = None,
    issues: str | None = None,
    openapi: str | None = None,
) -> int:
    """Write the static site into `out`; returns the bytes written. `thorough`: the model that is downloaded on
    request; `openapi`: the OpenAPI document for the API page. Raises OSError.
    """
    bytes_written = 0
    for address, path in (files(model, thorough) | verifier_files()).items():
        target = out / address
        target.parent.mkdir(parents=True, exist_ok=True)
        bytes_written += target.write_bytes(path.read_bytes())
    if openapi is not None:
        bytes_written += (out / "openapi.json").write_text(openapi, encoding="utf-8")
    documents = {
        "site.json": facts(service=False, issues=issues, thorough=thorough, credentials=True),
        "shell.json": shell(model, thorough, issues=issues),
    }
    return bytes_written + sum(
        (out / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        for name, content in documents.items()
    )
