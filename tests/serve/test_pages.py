"""The pages as files: delivery, caching, content security policy, texts."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import httpx
import pytest

import imageprocess
from imageprocess.model import registry
from imageprocess.types import EvidenceKind
from imageprocess.web import site

WEB = Path(imageprocess.__file__).parent / "web"
PAGES = ["index.html", "predict.html", "docs.html"]


def test_pages_are_served(client: httpx.Client) -> None:
    for path, name in {
        "/": "index.html",
        "/docs": "docs.html",
        **{f"/{name}": name for name in PAGES},
    }.items():
        response = client.get(path)
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert response.text == (WEB / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/json", True),
        ("application/json;q=0.9, application/problem+json", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("*/*", False),
        ("application/json, text/html", False),
    ],
)
def test_root_returns_json_to_json_only_clients(client: httpx.Client, accept: str, is_json: bool) -> None:
    response = client.get("/", headers={"Accept": accept})
    assert response.headers["Vary"] == "Accept"
    if is_json:
        assert set(response.json()) == {"message", "status"} and response.json()["status"] == "active"
    else:
        assert response.text.startswith("<!doctype html>")


def test_unchanged_page_returns_304(client: httpx.Client) -> None:
    for path in ("/", "/docs", "/sw.js", "/verdict.json", "/model/model.onnx", "/assets/js/predict.js"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        for name in ("ETag", "Cache-Control", "Vary", "Content-Security-Policy"):
            assert again.headers.get(name) == first.headers.get(name)
        assert client.get(path, headers={"If-None-Match": '"another"'}).content == first.content


@pytest.mark.parametrize("path", ["/model/model.onnx", "/assets/style.css"])
def test_invalid_range_is_a_problem(client: httpx.Client, path: str) -> None:
    assert client.get(path, headers={"Range": "bytes=0-9"}).content == client.get(path).content[:10]
    for wrong, status, code in [("99999999-", 416, "range_not_satisfiable"), ("zz", 400, "malformed")]:
        answer = client.get(path, headers={"Range": f"bytes={wrong}"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
        assert (answer.json()["status"], answer.json()["code"]) == (status, code)
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
        assert ("Content-Range" in answer.headers) is (status == 416)


@pytest.mark.parametrize(
    "path", ["/assets/../../serve/app.py", "/assets/%2e%2e/%2e%2e/errors.py", "/x.html", "/assets/"]
)
def test_other_paths_are_not_served(client: httpx.Client, path: str) -> None:
    request = httpx.Request("GET", str(client.base_url) + path)
    assert client.send(request).status_code == 404


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def _tags(name: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed((WEB / name).read_text(encoding="utf-8"))
    return parser.tags


@pytest.mark.parametrize("name", PAGES)
def test_pages_have_no_inline_code_and_no_foreign_urls(name: str) -> None:
    for tag, attributes in _tags(name):
        assert tag != "style" and "style" not in attributes
        assert not any(attribute.startswith("on") for attribute in attributes)
        if tag == "script":
            assert attributes.get("type") == "module" or attributes["src"] == "assets/js/language.js"
        for address in (attributes.get("src"), attributes.get("href")):
            if address and not address.startswith(("#", "?lang=")):
                path = address.partition("#")[0]
                assert path == "openapi.json" or (WEB / path).is_file(), address


@pytest.mark.parametrize("name", PAGES)
def test_page_has_content_security_policy_meta(name: str) -> None:
    policies = [a["content"] for tag, a in _tags(name) if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1 and str(policies[0]).startswith("default-src 'self';")


def test_scripts_and_styles_name_no_other_host() -> None:
    """Without XML namespaces, which are names, and the npm runtime, which is not our code."""
    for path in _our_files({".js", ".css", ".svg", ".html", ".json"}):
        text = re.sub(r"\{https?://[^}]*\}", "", path.read_text(encoding="utf-8"))
        matches = re.findall(r"(?:https?:)?//[\w.]+\.\w+[^\s\"'<:]*", text)
        names = {"http://www.w3.org/2000/svg", "http://ns.adobe.com/xap/1.0/\\0"}
        names.add("http://ns.adobe.com/xmp/extension/\\0")
        assert set(matches) <= names | {"http://127.0.0.1"}, (path, matches)


def _our_files(suffixes: set[str]) -> list[Path]:
    return [path for path in WEB.rglob("*") if path.suffix in suffixes and site.RUNTIME not in path.parents]


def _texts(language: str) -> dict[str, str]:
    """Texts of a language, including the parts that are loaded later."""
    all_texts: dict[str, str] = {}
    for path in sorted((WEB / "assets/texts").glob(f"*{language}.json")):
        texts = json.loads(path.read_text(encoding="utf-8"))
        assert not all_texts.keys() & texts.keys(), path
        all_texts |= texts
    return all_texts


def test_texts_that_scripts_use_exist() -> None:
    keys = set(_texts("en"))
    for path in (WEB / "assets/js").glob("*.js"):
        source = path.read_text(encoding="utf-8")
        used = set(re.findall(r'\bt\("([\w.-]+)"', source)) - {"proves", "proves.not"}
        used |= {f"{key}.other" for key in re.findall(r'\bplural\("([\w.-]+)"', source)}
        assert used <= keys, path


def test_hebrew_texts_cover_english_texts_and_pages() -> None:
    english, hebrew = _texts("en"), _texts("he")
    marked = {
        str(value)
        for name in PAGES
        for _, attributes in _tags(name)
        for attribute, value in attributes.items()
        if attribute in ("data-t", "data-t-label")
    }
    assert english.keys() | marked <= hebrew.keys()
    for key, text in english.items():
        assert _slots(hebrew[key]) <= _slots(text), key
    table = json.loads((WEB.parent / "verdict.json").read_text(encoding="utf-8"))
    for row in table["rows"]:
        assert _slots(hebrew[f"reason.{row['row']}"]) == _slots(row["reason"]), row["row"]
    for kind in get_args(EvidenceKind):
        assert f"claim.{kind}" in hebrew and f"proves-not.{kind}" in hebrew


def _slots(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("name", PAGES)
def test_style_size_limit(name: str) -> None:
    """The size of the whole page is measured in a browser, see tests/e2e/test_budgets.py."""
    styles = sum(
        (WEB / str(a["href"])).stat().st_size for t, a in _tags(name) if a.get("rel") == "stylesheet"
    )
    assert styles <= 13_000, styles


def test_drawn_network_matches_shipped_model() -> None:
    drawn = json.loads((WEB / "assets/network/network.json").read_text(encoding="utf-8"))
    spec = registry.verify(registry.resolve(site.DRAWN_MODEL))
    assert drawn["model"]["sha256"] == spec.onnx_sha256, "run `python -m bench.figure` again"
    assert drawn["parameters"] == spec.facts["parameters"]
