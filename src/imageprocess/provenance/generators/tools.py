"""Reads the records of the tools in the table tools.json. The fields of an entry:

    name, name_from   name of the tool, or the path of the field that has it
    json              recognised in one JSON text: {path: pattern} that must all match; a list: one of them must
    notes             recognised in the file's named texts: {name: pattern} that must all match; a list: one of them
    pattern, groups   recognised in one text: a pattern, and names for its groups ("text" is the whole match)
    in                names of the texts in which `json` and `pattern` are searched; default: all
    anywhere          as `json`, in texts of any name: conditions that identify the tool without its name
    also              named texts that must match in addition
    unless            skipped if a tool with one of these names was recognised before
    how               "edited" if the record always means an edit; default: "made"
    edited_if         any of these conditions: an input image was edited; unclear_if: the record does not say
    version           path of the text after the name, separated by version_words (default: a space)
    fields            prompt, negative_prompt, seed, sampler, model -> path, or paths of which the first match counts
    settings          further values for display: a path whose texts and numbers are used, or a list of paths
    author            path of the author
    seen              real files, or source code of writers and readers, that the entry was checked against

A path is keys joined by "/"; "*" is any key, "~x" any key that matches x, "@" refers to the named texts.
{"path": ..., "match": ...} uses the first group of a pattern. The pattern "" matches any value that is not empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from ..table import TABLE
from ..texts import Texts, parse_json
from .generation import Generation, How, scalars, text_of

_Notes = Mapping[str, str]
_MAX_PATTERN_TEXT = 20_000  # characters of a text that patterns are applied to
_MAX_VALUES = 500  # examined for one path


def read_tools(texts: Texts) -> tuple[list[Generation], set[str]]:
    """The records of the tools in the table, one per tool; and the names of the texts by which tools were
    recognised."""
    generations: dict[str, Generation] = {}
    names: set[str] = set()
    for tool in TABLE["tools"]:
        if any(name.startswith(other) for other in tool.get("unless", ()) for name in generations):
            continue
        for record in _records(tool, texts):
            generation = _generation(tool, record, texts.by_name)
            generations.setdefault(generation.generator, generation)
            names |= {name for notes in _alternatives(tool.get("notes", {})) for name in notes}
            break
    return list(generations.values()), names


def _records(tool: Mapping[str, Any], texts: Texts) -> Iterator[Mapping[str, Any]]:
    """The records of this tool in the file."""
    notes = texts.by_name
    if not _all_match(tool.get("also", {}), notes, notes):
        return
    if "json" in tool:
        for document in texts.documents:
            has_name = document.name in tool.get("in", (document.name,))
            alternatives = [*(_alternatives(tool["json"]) if has_name else ()), *tool.get("anywhere", ())]
            if any(_all_match(conditions, document.value, notes) for conditions in alternatives):
                yield document.value
    elif "pattern" in tool:
        for text in texts.all:
            is_candidate = text.name in tool.get("in", (text.name,)) and len(text.text) <= _MAX_PATTERN_TEXT
            match = is_candidate and _compiled(tool["pattern"]).search(text.text)
            if match:
                yield {"text": match[0], **dict(zip(tool["groups"], match.groups(), strict=True))}
    elif any(_all_match(conditions, notes, notes) for conditions in _alternatives(tool["notes"])):
        yield notes


def _alternatives(conditions: Any) -> list[Mapping[str, str]]:
    return conditions if isinstance(conditions, list) else [conditions]


def _all_match(conditions: Mapping[str, str], record: Mapping[str, Any], notes: _Notes) -> bool:
    return all(
        any(_matches(value, pattern) for value in _values(path, record, notes))
        for path, pattern in conditions.items()
    )


def _matches(value: Any, pattern: str) -> bool:
    if not pattern:
        return value is not None and value is not False and value not in ("", [], {})
    text = ("false", "true")[value] if isinstance(value, bool) else text_of(value)
    return text is not None and _compiled(pattern).search(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _values(path: str, record: Mapping[str, Any], notes: _Notes) -> Iterator[Any]:
    """The values at a path, see above."""
    values: list[Any] = [notes if path.startswith("@") else record]
    if path.removeprefix("@") in values[0]:  # names of texts may contain slashes
        yield values[0][path.removeprefix("@")]
        return
    for key in path.removeprefix("@").split("/"):
        values = [child for value in values[:_MAX_VALUES] for child in _children(value, key)]
    yield from values


def _children(value: Any, key: str) -> list[Any]:
    if isinstance(value, str) and value[:1] == "{":
        value = parse_json(value)
    if isinstance(value, list):
        return value if key == "*" else [value[int(key)]] if key.isdigit() and int(key) < len(value) else []
    if not isinstance(value, Mapping):
        return []
    if key == "*":
        return list(value.values())
    if key.startswith("~"):
        pattern = _compiled(key[1:])
        return [item for name, item in value.items() if pattern.search(name)]
    return [value[key]] if key in value else []


def _first_text(spec: Any, record: Mapping[str, Any], notes: _Notes) -> str | None:
    """The first text at a path, or at one of several paths."""
    for item in spec if isinstance(spec, list) else [spec]:
        path, pattern = (item["path"], item["match"]) if isinstance(item, Mapping) else (item, None)
        for value in _values(path, record, notes):
            text = text_of(value)
            match = _compiled(pattern).search(text) if pattern and text else None
            text = match[1] if match else None if pattern else text
            if text:
                return text.strip()
    return None


def _generation(tool: Mapping[str, Any], record: Mapping[str, Any], notes: _Notes) -> Generation:
    name = tool.get("name") or _first_text(tool["name_from"], record, notes) or ""
    version = _first_text(tool["version"], record, notes) if "version" in tool else None
    fields = tool["fields"]

    def field_text(field: str) -> str | None:
        return _first_text(fields[field], record, notes) if field in fields else None

    settings = _settings(tool, record, notes)
    author = _first_text(tool["author"], record, notes) if "author" in tool else None
    return Generation(
        generator=name + (tool.get("version_words", " ") + version if version else ""),
        how=_how(tool, record, notes),
        settings={**settings, **({"author": author} if author else {})},
        prompt=field_text("prompt"),
        negative_prompt=field_text("negative_prompt"),
        seed=field_text("seed"),
        sampler=field_text("sampler"),
        model=field_text("model"),
    )


def _how(tool: Mapping[str, Any], record: Mapping[str, Any], notes: _Notes) -> How:
    if any(_all_match(conditions, record, notes) for conditions in tool.get("unclear_if", ())):
        return "unclear"
    if any(_all_match(conditions, record, notes) for conditions in tool.get("edited_if", ())):
        return "edited"
    return "edited" if tool.get("how") == "edited" else "made"


def _settings(tool: Mapping[str, Any], record: Mapping[str, Any], notes: _Notes) -> dict[str, Any]:
    spec = tool.get("settings")
    if isinstance(spec, list):
        return {path: value for path in spec if (value := _first_text(path, record, notes))}
    if spec == "" or record is notes:
        return {}
    values = [record] if spec is None else list(_values(spec, record, notes))
    settings = values[0] if values and isinstance(values[0], Mapping) else {}
    return scalars(settings, frozenset({"prompt", "negative_prompt", "uc", "Prompt", "Negative", "c"}))
