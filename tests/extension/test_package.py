"""Contents and permissions of the extension packages."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from imageprocess.web import site

SHELL = Path(__file__).parents[2] / "extension"


def _manifest(packages: Path, browser: str) -> dict[str, object]:
    manifest: dict[str, object] = json.loads(
        (packages / browser / "manifest.json").read_text(encoding="utf-8")
    )
    return manifest


@pytest.mark.parametrize(("browser", "more"), [("chromium", ["offscreen"]), ("firefox", [])])
def test_manifest_permissions_include_no_site(packages: Path, browser: str, more: list[str]) -> None:
    manifest = _manifest(packages, browser)
    assert sorted(manifest["permissions"]) == sorted(
        ["activeTab", "contextMenus", "scripting", "storage", *more]
    )  # type: ignore[call-overload]
    assert manifest["optional_host_permissions"] == ["*://*/*"]
    assert (
        not {"host_permissions", "content_scripts", "optional_permissions", "externally_connectable"}
        & manifest.keys()
    )


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_content_security_policy_allows_only_packaged_code(packages: Path, browser: str) -> None:
    policy = _manifest(packages, browser)["content_security_policy"]["extension_pages"]  # type: ignore[index]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'" and directives["frame-src"] == "'none'"
    assert directives["script-src"] == "'self' 'wasm-unsafe-eval'" and directives["worker-src"] == "'self'"
    for path in (packages / browser).rglob("*.html"):
        for tag in re.findall(r"<script[^>]*>", path.read_text(encoding="utf-8")):
            assert "://" not in tag and (" src=" in tag or "application/json" in tag), (path.name, tag)


def test_web_modules_are_packaged_unchanged(packages: Path) -> None:
    packaged = packages / "chromium/assets/js"
    names = {path.relative_to(site.WEB / "assets/js") for path in (site.WEB / "assets/js").rglob("*.js")}
    assert {path.relative_to(packaged) for path in packaged.rglob("*.js")} == names
    for name in names:
        assert (packaged / name).read_bytes() == (site.WEB / "assets/js" / name).read_bytes()
    assert (packages / "chromium/verdict.json").read_bytes() == (
        site.WEB.parent / "verdict.json"
    ).read_bytes()


def test_any_browser_model_can_be_packaged(builder: ModuleType, tiny_model_dir: Path) -> None:
    packed = builder.contents("chromium", tiny_model_dir)
    assert json.loads(packed["model/model.json"])["name"] == "tiny"
    assert packed["model/model.onnx"] == (tiny_model_dir / "model.onnx").read_bytes()
    name = json.loads((site.browser_model() / "model.json").read_text(encoding="utf-8"))["name"]
    for path in [*SHELL.rglob("*.js"), *SHELL.rglob("*.html"), SHELL / "build.py"]:
        assert name not in path.read_text(encoding="utf-8"), path


def test_extension_code_has_no_url(packages: Path) -> None:
    for path in [*SHELL.glob("*.js"), *SHELL.glob("page/*.js"), *SHELL.glob("*.html"), *SHELL.glob("*.css")]:
        matches = re.findall(r"https?://[\w.]+", path.read_text(encoding="utf-8"))
        assert not matches, (path.name, matches)


def test_zip_matches_folder_and_is_reproducible(packages: Path) -> None:
    for browser in ("chromium", "firefox"):
        (path,) = packages.glob(f"*-{browser}.zip")
        folder = packages / browser
        with zipfile.ZipFile(path) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == {
                actual.relative_to(folder).as_posix(): actual.read_bytes()
                for actual in folder.rglob("*")
                if actual.is_file()
            }
            assert archive.namelist() == sorted(archive.namelist())
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_texts_exist_in_both_languages() -> None:
    texts = [
        json.loads((SHELL / f"texts/{language}.json").read_text(encoding="utf-8"))
        for language in ("en", "he")
    ]
    several = re.compile(r"\.two$")
    assert texts[0].keys() == {key for key in texts[1] if not several.search(key)}
    messages = [
        json.loads((SHELL / f"_locales/{language}/messages.json").read_text(encoding="utf-8"))
        for language in ("en", "he")
    ]
    assert messages[0].keys() == messages[1].keys()
    assert len(messages[0]["description"]["message"]) <= 132  # limit of the stores
    used = "".join(path.read_text(encoding="utf-8") for path in [*SHELL.glob("*.js"), *SHELL.glob("*.html")])
    for key in texts[0]:
        stem = re.sub(r"\.(one|other)$", "", key)
        assert f'"{stem}"' in used, f"{key} is never shown"
