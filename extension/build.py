"""Build the browser extension: a folder and a zip for each browser.

    python extension/build.py OUT [--model NAME|DIR] [--issues ADDRESS]

The package contains the files of the static site's private mode (pages, modules, model, runtime) and the extension's
own files from this folder.
"""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import click

from imageprocess import __version__
from imageprocess.errors import ModelError
from imageprocess.web import site

HERE = Path(__file__).parent
BROWSERS = ("chromium", "firefox")
LANGUAGES = ("en", "he")
_OWN_FILES = ("*.html", "*.css", "*.js", "page/*.js", "icons/*.png", "_locales/*/messages.json")
# Files of the site that the extension does not need: the pages that present the project, and the service worker.
_NOT_PACKED = ("index.html", "docs.html", "sw.js", "manifest.webmanifest")
_NOT_PACKED_FOLDERS = (
    "network/",
    "assets/network/",
    "assets/samples/",
    "assets/app/",
    "assets/extension.webp",
)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed date for all files, so that equal content gives an equal zip


def contents(browser: str, model: Path, *, issues: str | None = None) -> dict[str, bytes]:
    """Path in the package -> bytes. `model`: the folder of the model that runs in the browser."""
    packed = {
        address: path.read_bytes()
        for address, path in site.files(model).items()
        if address not in _NOT_PACKED and not address.startswith(_NOT_PACKED_FOLDERS)
    }
    packed |= {
        path.relative_to(HERE).as_posix(): path.read_bytes()
        for pattern in _OWN_FILES
        for path in sorted(HERE.glob(pattern))
    }
    for language in LANGUAGES:
        packed[f"assets/texts/{language}.json"] = _texts(language)
    packed["site.json"] = _json({**site.facts(service=False, issues=issues), "offline": False})
    packed["manifest.json"] = _json(manifest(browser))
    return packed


def manifest(browser: str) -> dict[str, Any]:
    """The content of manifest.json for `browser`."""
    content: dict[str, Any] = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    content["version"] = __version__
    if browser == "chromium":
        # A service worker cannot start workers, so the model runs in an offscreen document.
        content["permissions"] = sorted([*content["permissions"], "offscreen"])
        content["background"] = {"service_worker": "background.js", "type": "module"}
        content["minimum_chrome_version"] = "121"
    else:
        content["background"] = {"scripts": ["engine.js", "background.js"], "type": "module"}
        content["browser_specific_settings"] = {
            "gecko": {
                "id": "imageprocess@imageprocess.example",
                "strict_min_version": "140.0",
                "data_collection_permissions": {"required": ["none"]},
            }
        }
        content["incognito"] = "spanning"  # the only mode that Firefox supports
    return content


def _texts(language: str) -> bytes:
    """The texts of the pages and of the extension, merged."""
    merged: dict[str, str] = {}
    for path in (site.WEB / f"assets/texts/{language}.json", HERE / f"texts/{language}.json"):
        texts = json.loads(path.read_text(encoding="utf-8"))
        duplicates = merged.keys() & texts.keys()
        if duplicates:
            raise click.ClickException(
                f"{path}: these keys are already defined by the pages: {', '.join(sorted(duplicates))}"
            )
        merged |= texts
    return _json(merged)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def build(out: Path, model: Path, *, issues: str | None = None) -> list[Path]:
    """Write OUT/<browser>/ and OUT/imageprocess-<version>-<browser>.zip; returns the zips. Raises OSError."""
    zips = []
    for browser in BROWSERS:
        packed = contents(browser, model, issues=issues)
        folder = out / browser
        shutil.rmtree(folder, ignore_errors=True)
        for address, data in packed.items():
            target = folder / address
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        zips.append(out / f"imageprocess-{__version__}-{browser}.zip")
        with zipfile.ZipFile(zips[-1], "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for address, data in sorted(packed.items()):
                archive.writestr(zipfile.ZipInfo(address, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return zips


@click.command(help="Write the browser extension into OUT: a folder and a zip for each browser.")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--model", help="Name of a model, or a model folder. Default: as for the static site.")
@click.option("--issues", help="Address of the form for a new issue, to report wrong verdicts.")
def main(out: Path, model: str | None, issues: str | None) -> None:
    if not site.has_private_mode():
        sys.exit("private mode is not built: run `make web` first (needs npm)")
    try:
        zips = build(out, site.browser_model(model), issues=issues)
    except ModelError as error:
        sys.exit(str(error))
    for path in zips:
        click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB", err=True)


if __name__ == "__main__":
    main()
