"""ComfyUI's records: `prompt`, the graph that ran (node id -> class_type, inputs), and `workflow`, the editor's view.

A graph says more than "AI was here": walking back from what saves the picture shows whether the pixels began as noise
(made), as a picture that was loaded (edited), or passed no sampler at all (unclear).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .generation import Generation, How, parse_json, text_of

_MAX_NODES = 5_000
_SAVES = re.compile(r"save|preview|output", re.I)
_LOADS_PICTURE = re.compile(r"load.*(image|video|frame|picture)|(image|video).*load|^input ?image", re.I)
_LOADS_MASK = re.compile(r"mask", re.I)
_SAMPLES = re.compile(r"sampler(?!.*select)", re.I)
# Nodes that ask a service for a whole picture.
_ASKS_SERVICE = re.compile(
    r"gpt.?image|dall.?e|flux.?(1.?)?pro|ideogram|recraft|stable.?image|gemini.?image|imagen|text.?to.?image",
    re.I,
)
_EMPTY = re.compile(r"empty.*latent|latent.*empty", re.I)
# Nodes that hand an input picture to the model as something to edit, beside the chain of pictures.
_EDITS_REFERENCE = re.compile(r"referencelatent|imageedit|pix2pix|instructpix|kontext", re.I)
_KEEPS_SIZE = re.compile(r"^(ksampler.*|samplercustom.*|vaedecode.*|.*(save|preview|output).*)$", re.I)
_CHANGES_SHAPE = re.compile(r"crop|pad|outpaint|stitch|grid|concat|composite|rotate|batch", re.I)
# Inputs that carry something other than the picture itself.
_NOT_PICTURE = {
    "model", "clip", "vae", "positive", "negative", "conditioning", "control_net", "clip_vision", "style_model",
    "clip_vision_output", "mask", "noise", "sampler", "sigmas", "guider", "upscale_model", "text", "seed", "width",
    "height", "prompt", "filename_prefix", "ipadapter", "reference_image", "ref_image",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Node:
    kind: str
    inputs: dict[str, Any] = field(default_factory=dict)

    def links(self) -> Iterator[tuple[str, str]]:
        """(input's name, id of the node it comes from)"""
        for name, value in self.inputs.items():
            if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int):
                yield name, str(value[0])


_Graph = dict[str, _Node]


def read_comfyui(prompt: str | None, workflow: str | None) -> Generation | None:
    """The record, or None where neither text is a ComfyUI graph."""
    graph = _ran(parse_json(prompt)) or _drawn(parse_json(workflow))
    if not graph:
        return None
    path = _picture_path(graph)
    sampler = next((graph[i] for i in path if _SAMPLES.search(graph[i].kind)), None)
    how = _how(graph, path)
    size, resized = _size(graph, path) if how == "made" else (None, False)
    settings = (
        {}
        if sampler is None
        else {k: v for k, v in sampler.inputs.items() if isinstance(v, str | int | float)}
    )
    return Generation(
        generator="ComfyUI",
        how=how,
        prompt=_told(graph, sampler, ("positive", "guider", "conditioning"), _PROMPT_FIELDS),
        negative_prompt=_told(graph, sampler, ("negative",), _PROMPT_FIELDS),
        seed=_told(graph, sampler, ("seed", "noise_seed", "noise"), ("seed", "noise_seed", "value")),
        sampler=_told(graph, sampler, ("sampler_name", "sampler"), ("sampler_name",)),
        model=_told(
            graph, sampler, ("model", "guider"), ("ckpt_name", "unet_name", "model_name", "gguf_name")
        ),
        settings=settings,
        size=size,
        resized=resized,
    )


_PROMPT_FIELDS = ("text", "prompt", "text_g", "t5xxl", "clip_l", "string", "value", "text1", "positive")


def _ran(record: Any) -> _Graph:
    """The `prompt` record as a graph; empty unless every node names its class, as ComfyUI's do."""
    if not isinstance(record, dict) or not 0 < len(record) <= _MAX_NODES:
        return {}
    graph = {}
    for key, node in record.items():
        if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
            return {}
        inputs = node.get("inputs")
        graph[key] = _Node(node["class_type"], inputs if isinstance(inputs, dict) else {})
    return graph


def _drawn(record: Any) -> _Graph:
    """The `workflow` record as the same kind of graph: links are numbered there, widgets have no names."""
    if not isinstance(record, dict):
        return {}
    nodes, links = record.get("nodes"), record.get("links")
    if not isinstance(nodes, list) or not isinstance(links, list) or len(nodes) > _MAX_NODES:
        return {}
    origin = {
        link[0]: str(link[1])
        for link in links
        if isinstance(link, list) and len(link) >= 5 and _plain(link[0])
    }
    graph = {}
    for node in nodes:
        if not isinstance(node, dict) or not isinstance(node.get("type"), str) or node.get("mode") in (2, 4):
            continue  # modes 2 and 4: muted and bypassed
        inputs: dict[str, Any] = {}
        for slot in node.get("inputs") or []:
            if isinstance(slot, dict) and _plain(slot.get("link")) and slot["link"] in origin:
                inputs[str(slot.get("name"))] = [origin[slot["link"]], 0]
        widgets = node.get("widgets_values")
        if _EMPTY.search(node["type"]) and isinstance(widgets, list) and len(widgets) >= 2:
            inputs |= {"width": widgets[0], "height": widgets[1]}
        elif "CLIPTextEncode" in node["type"] and isinstance(widgets, list) and widgets:
            inputs |= {"text": widgets[0]}
        graph[str(node.get("id"))] = _Node(node["type"], inputs)
    return graph


def _plain(value: Any) -> bool:
    return isinstance(value, int | str)


def _picture_path(graph: _Graph) -> list[str]:
    """Ids of the nodes that the pixels came through, from the saving node back."""
    consumed = {source for node in graph.values() for _, source in node.links()}
    ends = [
        i
        for i, node in graph.items()
        if i not in consumed and any(n not in _NOT_PICTURE for n, _ in node.links())
    ]
    saving = [i for i in ends if _SAVES.search(graph[i].kind)]
    return _walk_back(graph, saving or ends, lambda name: name not in _NOT_PICTURE)


def _walk_back(graph: _Graph, starts: list[str], follows: Callable[[str], bool]) -> list[str]:
    seen: dict[str, None] = {}
    queue = list(starts)
    while queue:
        node_id = queue.pop(0)
        if node_id in seen or node_id not in graph:
            continue
        seen[node_id] = None
        queue += [source for name, source in graph[node_id].links() if follows(name)]
    return list(seen)


def _how(graph: _Graph, path: list[str]) -> How:
    if any(_is_loader(graph[i]) for i in path):
        return "edited"
    if not any(r.search(graph[i].kind) for i in path for r in (_SAMPLES, _EMPTY, _ASKS_SERVICE)):
        return "unclear"
    refers = any(_EDITS_REFERENCE.search(node.kind) for node in graph.values())
    return "edited" if refers and any(_is_loader(node) for node in graph.values()) else "made"


def _is_loader(node: _Node) -> bool:
    return bool(_LOADS_PICTURE.search(node.kind)) and not _LOADS_MASK.search(node.kind)


def _size(graph: _Graph, path: list[str]) -> tuple[tuple[int, int] | None, bool]:
    """(width, height) of the latent that the picture began as, and whether later nodes may have resized it.

    None where the graph does not say: several latents, a size out of another node, a node that changes the shape.
    """
    if any(_CHANGES_SHAPE.search(graph[i].kind) for i in path):
        return None, False
    sizes = set()
    for node in (graph[i] for i in path if _EMPTY.search(graph[i].kind)):
        width, height = (_number(graph, node.inputs.get(side)) for side in ("width", "height"))
        if width is None or height is None:
            return None, False
        sizes.add((width, height))
    resized = any(not _KEEPS_SIZE.match(graph[i].kind) and not _EMPTY.search(graph[i].kind) for i in path)
    return (sizes.pop() if len(sizes) == 1 else None), resized


def _number(graph: _Graph, value: Any) -> int | None:
    """A positive whole number, written here or in the node that it is linked from."""
    if isinstance(value, list) and value and str(value[0]) in graph:
        source = graph[str(value[0])].inputs
        value = source.get("value", source.get("int"))
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _told(graph: _Graph, node: _Node | None, inputs: tuple[str, ...], fields: tuple[str, ...]) -> str | None:
    """The text that one of the node's `inputs` holds, or that the nodes it is linked from hold in `fields`."""
    if node is None:
        return None
    linked = dict(node.links())
    for name in inputs:
        if name in linked:
            for source in _walk_back(graph, [linked[name]], lambda _: True):
                told = next(
                    (graph[source].inputs[f] for f in fields if text_of(graph[source].inputs.get(f))), None
                )
                if told is not None:
                    return text_of(told)
        elif text_of(node.inputs.get(name)):
            return text_of(node.inputs[name])
    return None
