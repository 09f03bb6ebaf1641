"""Collects the named texts of a file from all its records. The readers of generators' records use only these."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .containers import Text
from .table import TABLE

_PREFIXES: dict[str, str] = TABLE["xmp_prefixes"]
_NAME_PREFIX = re.compile(r"(?:([A-Za-z][\w-]{0,31}):|(AIGC))[\0: \n\r\t]*(?=\{)", re.I | re.A)
_NAMES = {"prompt": "prompt", "workflow": "workflow", "aigc": "AIGC"}
_MAX_TEXTS = 512
_MAX_NESTING = 2  # a record inside a record inside a text


@dataclass(frozen=True, slots=True)
class Document:
    """A text that is JSON, or a value inside one."""

    name: str
    value: Any


@dataclass(slots=True)
class Texts:
    """All named texts, including those inside JSON objects; `documents` are those that are JSON."""

    all: list[Text] = field(default_factory=list)
    by_name: dict[str, str] = field(default_factory=dict)  # of texts with the same name, the first
    documents: list[Document] = field(default_factory=list)


def collect(texts: Iterable[Text]) -> Texts:
    """Every text that is JSON becomes a document, and so do objects inside it and texts inside it that are JSON again:
    converters store records of one format in another like this."""
    result = Texts()
    for text in texts:
        _add(result, text, 0)
    return result


def _add(result: Texts, text: Text, depth: int) -> None:
    if len(result.all) >= _MAX_TEXTS:
        return
    result.all.append(text)
    result.by_name.setdefault(text.name, text.text)
    name, body = json_part(text.text)
    value = parse_json(body)
    if isinstance(value, dict):
        _add_document(result, Document(name or text.name, value), text.place, depth)


def _add_document(result: Texts, document: Document, place: str, depth: int) -> None:
    if len(result.documents) >= _MAX_TEXTS:
        return
    result.documents.append(document)
    if depth >= _MAX_NESTING or "class_type" in next(_dicts(document.value), {}):
        return  # the nodes of a graph are not records
    for name, value in list(document.value.items())[:64]:
        if isinstance(value, dict):
            _add_document(result, Document(name, value), place, depth + 1)
        elif isinstance(value, str) and value:
            _add(result, Text(place, name, value), depth + 1)


def _dicts(value: Mapping[str, Any]) -> Any:
    return (item for item in value.values() if isinstance(item, dict))


def json_part(text: str) -> tuple[str | None, str | None]:
    """(name, JSON object) of a text that is a JSON object, which some writers prefix with a name; None for missing."""
    body = text.strip("\0 \n\r\t\ufeff")
    prefix = None if body[:1] == "{" else _NAME_PREFIX.match(body)
    if prefix:
        name = prefix[1] or prefix[2]
        return _NAMES.get(name.lower(), name), body[prefix.end() :]
    return None, body if body.startswith("{") else None


def xmp_texts(properties: Mapping[str, str]) -> list[Text]:
    """The properties of an XMP packet, named with their usual namespace prefixes."""
    texts = []
    for name, value in properties.items():
        namespace, _, local = name.removeprefix("{").partition("}")
        prefix = _PREFIXES.get(namespace)
        short = local if prefix in ("exif", "tiff") else f"{prefix}:{local}" if prefix else name
        texts.append(Text("XMP", short, value))
    return texts


def parse_json(text: str | None) -> Any:
    """The JSON in `text`, or None. The container readers limit the size of texts, Python's parser the nesting."""
    if not text:
        return None
    try:
        return json.loads(text, parse_constant=lambda _: None)  # NaN and Infinity are not valid JSON
    except (ValueError, RecursionError):
        return None
