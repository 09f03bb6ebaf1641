"""Which files the site is made of, wherever it is served from, and the facts that its pages ask for."""

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
RUNTIME = WEB / "assets" / "ort"  # npm's; put there by `make web`, never committed
PAGES = ("index.html", "predict.html", "docs.html")
DRAWN_MODEL = "cnn"  # the network that the first page draws, block by block
# What Python and the pages both read.
_TABLES = {
    "verdict.json": WEB.parent / "verdict.json",
    "tools.json": WEB.parent / "provenance" / "tools.json",
}
_MODEL_FILES = ("model.json", "model.onnx")
_MOST_BYTES = 20_000_000  # what private mode fetches before its first picture, without asking
VERIFIER = WEB / "assets" / "c2pa"  # npm's too: downloaded only where a person asks for it
_VERIFIER_FILES = ("c2pa.js", "c2pa_bg.wasm", "runtime.json")
_RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm", "runtime.json")


def files(model: Path, thorough: Path | None = None) -> dict[str, Path]:
    """Address below the site's root -> file. `model`: the folder of the model that private mode runs; `thorough`: of
    the one that it runs on request.
    """
    found = {name: WEB / name for name in (*PAGES, "sw.js", "manifest.webmanifest")}
    for path in sorted((WEB / "assets").rglob("*")):
        if path.is_file() and VERIFIER not in path.parents:
            found[path.relative_to(WEB).as_posix()] = path
    found |= _TABLES
    found |= {f"model/{name}": model / name for name in _MODEL_FILES}
    if thorough:
        told = (*_MODEL_FILES, "NOTICE")
        found |= {f"thorough/{name}": thorough / name for name in told if (thorough / name).is_file()}
    drawn = registry.resolve(DRAWN_MODEL)
    # Where the two are one network, the page takes the first; its weights are not there twice.
    wanted = _MODEL_FILES if drawn.resolve() != model.resolve() else ("model.json",)
    return found | {f"network/{name}": drawn / name for name in wanted}


def verifier_files() -> dict[str, Path]:
    """Address below the site's root -> file, of what a browser checks Content Credentials with; {} where npm's part is
    not there.
    """
    if not all((VERIFIER / name).is_file() for name in _VERIFIER_FILES):
        return {}
    lists = {"trust/conformance.pem": path_in_use(), "trust/interim.pem": interim_path()}
    return {
        **{path.relative_to(WEB).as_posix(): path for path in sorted(VERIFIER.iterdir())},
        **{address: path for address, path in lists.items() if path.is_file()},
    }


def browser_model(model: str | None = None) -> Path:
    """The folder of the model that runs in a browser, beside the service, on the static site and in the extension:
    `model`, or the one that ships where none is named or the named one is large. Raises ModelError.
    """
    folder = registry.resolve(model or registry.DEFAULT_MODEL)
    return registry.resolve(registry.DEFAULT_MODEL) if _is_large(folder) else folder


def thorough_model(model: str | None = None) -> Path | None:
    """The folder of the model that a browser downloads on request: `model` where it is too large to be fetched with
    the page, else the best one where it was got. Raises ModelError.
    """
    named = registry.resolve(model) if model else None
    return named if named and _is_large(named) else registry.installed(registry.BEST_MODEL)


def _is_large(folder: Path) -> bool:
    try:
        return load_spec(folder).onnx_path.stat().st_size > _MOST_BYTES
    except OSError as error:
        raise ModelError(f"{folder}: model.onnx cannot be read ({error.strerror})") from error


def has_private_mode() -> bool:
    """Whether npm's part of private mode is in place."""
    return all((RUNTIME / name).is_file() for name in _RUNTIME_FILES)


def facts(
    *, service: bool, issues: str | None = None, thorough: Path | None = None, credentials: bool = False
) -> dict[str, Any]:
    """site.json: what the pages ask first. `issues`: where a wrong verdict can be reported, a page that takes
    `title` and `body` in its query, or mailto:...; without one a page offers its report as a file. `thorough`: the
    folder of the model that is downloaded on request; `credentials`: `verifier_files` are there too.
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
    """shell.json: what the service worker keeps for when the network is away, each with what changes when its content
    does. The large files are kept by the page that needs them, under their versions.
    """
    large = (".onnx", ".wasm")
    kept = {address: path for address, path in files(model, thorough).items() if not address.endswith(large)}
    hashes = {address: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for address, path in kept.items()}
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
    request; `openapi`: the API's document for its page. Raises OSError.
    """
    written = 0
    for address, path in (files(model, thorough) | verifier_files()).items():
        target = out / address
        target.parent.mkdir(parents=True, exist_ok=True)
        written += target.write_bytes(path.read_bytes())
    if openapi is not None:
        written += (out / "openapi.json").write_text(openapi, encoding="utf-8")
    told = {
        "site.json": facts(service=False, issues=issues, thorough=thorough, credentials=True),
        "shell.json": shell(model, thorough, issues=issues),
    }
    return written + sum(
        (out / name).write_text(json.dumps(what, indent=1) + "\n", encoding="utf-8")
        for name, what in told.items()
    )
