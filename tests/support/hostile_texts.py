"""Short texts and graphs that trigger superlinear parsers: parsing must be linear in their length."""

from __future__ import annotations

import json
from typing import Any

from testkit.records import png

LENGTH = 100_000


def hostile_files() -> dict[str, bytes]:
    """Description -> a PNG with the text."""
    texts = {
        "options without an end": ("Description", " --a" * (LENGTH // 4)),
        "a command without an end": ("Dream", '"' + '" -s 5 ' * (LENGTH // 7)),
        "open brackets": ("Dream", '"a' + "[" * LENGTH),
        "settings and spaces": (
            "parameters",
            "Steps: 20, Sampler: x, Seed: 1, Model: y" + " " * LENGTH + "z",
        ),
        "settings and lines": ("parameters", "\nSteps: 20, Sampler: x" + "\t \n" * (LENGTH // 3) + "z"),
        "settings and quotes": ("parameters", "Steps: 20, Sampler: x, Seed: " + '"' * (LENGTH + 1)),
        "spaces in the middle": ("x", "y" + " " * LENGTH + "y"),
        "objects in objects": ("x", '{"a":' * LENGTH),
        "a long class": ("prompt", _node("load" * (LENGTH // 4))),
        "a long class of maps": ("prompt", _node("canny" * (LENGTH // 5))),
        "a long value": ("prompt", _node("KSampler", seed=1, model=["1", 0], text="depth" * (LENGTH // 5))),
        "many saved pictures": ("prompt", _many_ends(2_000)),
        "subgraphs of subgraphs": ("workflow", _subgraphs(12)),
        "a profile of spaces": ("Raw profile type exif", " " * LENGTH),
        "XMP of one name": ("XML:com.adobe.xmp", "<a " + "x" * LENGTH + ">"),
        "XMP of spaces": ("XML:com.adobe.xmp", "<a>" + " " * LENGTH + "</a>"),
        "XMP of comments": ("XML:com.adobe.xmp", "<a>" + "<!--" * (LENGTH // 4)),
    }
    return {
        what: png([(b"iTXt", name.encode() + b"\0\0\0\0\0" + text.encode())])
        for what, (name, text) in texts.items()
    }


def _node(kind: str, **inputs: Any) -> str:
    saved = {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}}
    return json.dumps({"1": {"class_type": kind, "inputs": inputs}, "2": saved})


def _many_ends(count: int) -> str:
    """A long chain of nodes, and as many nodes that save its result."""
    chain: dict[str, Any] = {"0": {"class_type": "LoadImage", "inputs": {"image": "x"}}}
    for i in range(1, count):
        chain[str(i)] = {"class_type": "ImageScale", "inputs": {"image": [str(i - 1), 0]}}
    saves = {"class_type": "SaveImage", "inputs": {"images": [str(count - 1), 0]}}
    return json.dumps(chain | {f"s{i}": saves for i in range(count)})


def _subgraphs(each: int) -> str:
    """Subgraphs of only subgraphs: `each` to the power of their depth."""

    def view(i: int) -> dict[str, Any]:
        nodes = [{"id": k, "type": f"S{i + 1}", "inputs": []} for k in range(each)]
        return {"id": f"S{i}", "nodes": nodes, "links": []}

    return json.dumps({**view(-1), "definitions": {"subgraphs": [view(i) for i in range(8)]}})
