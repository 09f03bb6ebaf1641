"""The table of tools (tools.json) -> what each says of the picture. An entry:

    name, name_from   the tool's name, or the path of the field that holds it
    json              recognised in one JSON text: {path: pattern} that must all hold; a list: one of them must
    notes             recognised in the file's named texts: {name: pattern} that must all hold; a list: one of them
    pattern, groups   recognised in one text: a pattern, and names for its groups ("text" is the whole match)
    in                names of the texts where `json` and `pattern` are looked for; any, where left out
    anywhere          as `json`, in a text of any name: conditions that tell the tool without it
    also              named texts that must hold besides
    unless            not read where a tool of these names was read before
    how               "edited" where the record always tells of an edit; "made" is the default
    edited_if         any of these conditions: an input picture was edited; unclear_if: the record does not tell
    version           path of what follows the name, after version_words (a space by default)
    fields            prompt, negative_prompt, seed, sampler, model -> path, or paths of which the first counts
    settings          what is shown besides: a path whose plain values are taken, or a list of paths
    author            path of who made it
    seen              real files, or the sources of writers and readers, that the entry was checked against

A path is keys joined by "/"; "*" stands for any key, "~x" for any key that matches x, "@" leads to the named texts.
{"path": ..., "match": ...} takes a pattern's first group. A pattern "" holds where there is a value that is not empty.
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
_MAX_PATTERN_TEXT = 20_000  # characters of a text that a pattern is tried on
_MAX_SEEN = 500  # values looked at for one path


def read_tools(texts: Texts) -> tuple[list[Generation], set[str]]:
    """What the tools of the table say, each once; and the names of the texts by which tools were recognised."""
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
    if not _hold(tool.get("also", {}), notes, notes):
        return
    if "json" in tool:
        for document in texts.documents:
            named = document.name in tool.get("in", (document.name,))
            accepted = [*(_alternatives(tool["json"]) if named else ()), *tool.get("anywhere", ())]
            if any(_hold(conditions, document.value, notes) for conditions in accepted):
                yield document.value
    elif "pattern" in tool:
        for text in texts.all:
            named = text.name in tool.get("in", (text.name,)) and len(text.text) <= _MAX_PATTERN_TEXT
            match = named and _compiled(tool["pattern"]).search(text.text)
            if match:
                yield {"text": match[0], **dict(zip(tool["groups"], match.groups(), strict=True))}
    elif any(_hold(conditions, notes, notes) for conditions in _alternatives(tool["notes"])):
        yield notes


def _alternatives(conditions: Any) -> list[Mapping[str, str]]:
    return conditions if isinstance(conditions, list) else [conditions]


def _hold(conditions: Mapping[str, str], record: Mapping[str, Any], notes: _Notes) -> bool:
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
    """The values at a path."""
    values: list[Any] = [notes if path.startswith("@") else record]
    if path.removeprefix("@") in values[0]:  # names of texts may hold slashes
        yield values[0][path.removeprefix("@")]
        return
    for key in path.removeprefix("@").split("/"):
        values = [child for value in values[:_MAX_SEEN] for child in _children(value, key)]
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


def _told(spec: Any, record: Mapping[str, Any], notes: _Notes) -> str | None:
    """The first text that a path, or one of several, leads to."""
    for one in spec if isinstance(spec, list) else [spec]:
        path, pattern = (one["path"], one["match"]) if isinstance(one, Mapping) else (one, None)
        for value in _values(path, record, notes):
            text = text_of(value)
            match = _compiled(pattern).search(text) if pattern and text else None
            text = match[1] if match else None if pattern else text
            if text:
                return text.strip()
    return None


def _generation(tool: Mapping[str, Any], record: Mapping[str, Any], notes: _Notes) -> Generation:
    name = tool.get("name") or _told(tool["name_from"], record, notes) or ""
    version = _told(tool["version"], record, notes) if "version" in tool else None
    fields = tool["fields"]

    def told(field: str) -> str | None:
        return _told(fields[field], record, notes) if field in fields else None

    settings = _settings(tool, record, notes)
    author = _told(tool["author"], record, notes) if "author" in tool else None
    return Generation(
        generator=name + (tool.get("version_words", " ") + version if version else ""),
        how=_how(tool, record, notes),
        settings={**settings, **({"author": author} if author else {})},
        prompt=told("prompt"),
        negative_prompt=told("negative_prompt"),
        seed=told("seed"),
        sampler=told("sampler"),
        model=told("model"),
    )


def _how(tool: Mapping[str, Any], record: Mapping[str, Any], notes: _Notes) -> How:
    if any(_hold(conditions, record, notes) for conditions in tool.get("unclear_if", ())):
        return "unclear"
    if any(_hold(conditions, record, notes) for conditions in tool.get("edited_if", ())):
        return "edited"
    return "edited" if tool.get("how") == "edited" else "made"


def _settings(tool: Mapping[str, Any], record: Mapping[str, Any], notes: _Notes) -> dict[str, Any]:
    spec = tool.get("settings")
    if isinstance(spec, list):
        return {path: value for path in spec if (value := _told(path, record, notes))}
    if spec == "" or record is notes:
        return {}
    values = [record] if spec is None else list(_values(spec, record, notes))
    settings = values[0] if values and isinstance(values[0], Mapping) else {}
    return scalars(settings, frozenset({"prompt", "negative_prompt", "uc", "Prompt", "Negative", "c"}))
