"""ComfyUI's records. A graph says more than "AI was here": walking back from what saves the picture shows whether the
pixels began as noise or as a text (made), as a picture that a model then changed (edited), or met no model (unclear).

Which nodes are which is read from how they are wired (a sampler takes a model and a seed or a noise schedule, a
service takes a prompt and a seed, a picture's source takes a file), since nodes' names are anybody's to choose.
tools.json holds the patterns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ...types import ImageFacts
from ..table import TABLE
from ..texts import Document
from .generation import Generation, How, size_fits, text_of
from .graph import Graph, Node, drawn_graph, ran_graph, walk_back

_P = {name: re.compile(pattern, re.I) for name, pattern in TABLE["comfyui"].items()}
_MAX_NAME = (
    200  # characters of a node's or an input's name that the patterns see: some take time in its square
)
_MAX_ENDS = 24  # saved pictures that are looked at
_PROMPT_FIELDS = ("text", "prompt", "text_g", "t5xxl", "clip_l", "string", "value", "text1", "positive")
_Size = tuple[int, int] | None


def read_comfyui(documents: Sequence[Document], facts: ImageFacts) -> Generation | None:
    """The record, or None where no document is a ComfyUI graph. The graph that ran counts more than the drawn one."""
    for document in documents:
        graph = ran_graph(document.value)
        if graph:
            service = isinstance(document.value.get("extraMetadata"), str)
            return _read(graph, facts, "Civitai (ComfyUI)" if service else "ComfyUI")
    for document in documents:
        graph = drawn_graph(document.value)
        if graph:
            return _read(graph, facts, "ComfyUI")
    return None


def _read(graph: Graph, facts: ImageFacts, generator: str) -> Generation:
    how, path, size, resized = _judge(graph, facts)
    sampler = next((graph[i] for i in path if _samples(graph[i]) or _asks_service(graph[i])), None)
    plain = {} if sampler is None else sampler.inputs
    return Generation(
        generator=generator,
        how=how,
        prompt=_text_input(graph, sampler, ("positive", "guider", "conditioning", "prompt"), _PROMPT_FIELDS),
        negative_prompt=_text_input(graph, sampler, ("negative", "negative_prompt"), _PROMPT_FIELDS),
        seed=_text_input(graph, sampler, ("seed", "noise_seed", "noise"), ("seed", "noise_seed", "value")),
        sampler=_text_input(graph, sampler, ("sampler_name", "sampler"), ("sampler_name",)),
        model=_text_input(
            graph,
            sampler,
            ("model", "guider"),
            ("ckpt_name", "unet_name", "model_name", "gguf_name", "model"),
        ),
        settings={k: v for k, v in plain.items() if isinstance(v, str | int | float)},
        size=size,
        resized=resized,
    )


def _judge(graph: Graph, facts: ImageFacts) -> tuple[How, list[str], _Size, bool]:
    """What the graph says of the picture that it saves. Where it saves several, the ones that may have this file's
    size count; where those disagree, it does not tell which this one is."""
    results = []
    for end in _ends(graph):
        path = walk_back(graph, [end], _is_picture)
        how = _how(graph, path)
        size, resized = _size(graph, path) if how == "made" else (None, False)
        results.append((how, path, size, resized))
    if not results:
        return "unclear", [], None, False
    fitting = [one for one in results if one[2] and size_fits(one[2], one[3], facts)]
    agreeing = {one[0] for one in results}
    best = (fitting or results)[0]
    if len(agreeing) == 1 or fitting:
        return best
    return "unclear", best[1], None, False


def _ends(graph: Graph) -> list[str]:
    """Nodes that save a picture; only where there are none, what is previewed or left at an end."""
    consumed = {source for node in graph.values() for _, source in node.links()}
    takers = [i for i, node in graph.items() if any(_is_picture(name) for name, _ in node.links())]
    saving = [i for i in takers if _saves(graph[i])]
    saving = [i for i in saving if not _is(graph[i], "previews")] or saving
    ends = [i for i in takers if i not in consumed]
    outputs = [i for i in ends if not _is(graph[i], "previews")]
    return (saving or outputs or ends)[:_MAX_ENDS]


def _how(graph: Graph, path: list[str]) -> How:
    nodes = [graph[i] for i in path]
    makes = any(_samples(node) or _asks_service(node) for node in nodes)
    pixels = _without_maps(graph, path)
    if any(_is_loader(pixels[i]) for i in walk_back(pixels, path[:1], _is_picture)):
        return "edited" if makes or any(_touches(node) for node in nodes) else "unclear"
    if not makes:
        return "unclear"
    behind = walk_back(graph, path, lambda _: True)
    references = [i for i in behind if _is(graph[i], "edits_reference")]
    referred = walk_back(pixels, references, _is_picture)
    return "edited" if any(_is_loader(pixels[i]) for i in referred) else "made"


def _without_maps(graph: Graph, path: list[str]) -> Graph:
    """The graph without the nodes that let only a control map through (edges, depth, a pose): of the picture that the
    map was taken from, no pixel reaches the result. Such a map may also come ready from a file: then the model that is
    conditioned by it tells what it is."""
    behind = [graph[i] for i in walk_back(graph, path, lambda _: True)]
    texts = (value for node in behind for value in node.inputs.values() if isinstance(value, str))
    takes_map = any(_fits("structure_models", text) for text in texts if len(text) <= _MAX_NAME)
    return {
        i: node
        for i, node in graph.items()
        if not _is(node, "structure") and not (takes_map and _is(node, "conditions_on_structure"))
    }


def _is(node: Node, pattern: str) -> bool:
    return _fits(pattern, node.kind[:_MAX_NAME])


def _is_picture(name: str) -> bool:
    return not _fits("not_picture", name[:_MAX_NAME])


@lru_cache(maxsize=8_192)
def _fits(pattern: str, name: str) -> bool:
    return _P[pattern].search(name) is not None


def _samples(node: Node) -> bool:
    """ComfyUI's own samplers, and what takes a model, and a seed, a noise or its schedule."""
    if _is(node, "core_samplers"):
        return True
    if _saves(node):
        return False
    if _is(node, "scales") and not any(name in node.inputs for name in ("seed", "noise_seed", "denoise")):
        return False
    sampling = sum(_fits("sampling_inputs", name[:_MAX_NAME]) for name in node.inputs)
    models = _takes_model(node)
    named = "sampler" in node.kind.lower() and "select" not in node.kind.lower()
    if named and not node.inputs.keys() - {name for name, _ in node.links()}:  # drawn, in the older form
        return models or any(not _is_picture(name) for name, _ in node.links())
    denoises = any(_fits("denoising_inputs", name[:_MAX_NAME]) for name in node.inputs)
    return (models and sampling >= 1) or (named and sampling >= 2 and denoises)


def _saves(node: Node) -> bool:
    """Some that save take a prompt, a seed and a model's name, to write them into the file."""
    return "filename_prefix" in node.inputs or _is(node, "saves")


def _asks_service(node: Node) -> bool:
    """Takes a prompt and no model of ours: a whole picture is asked for in words. With a picture among its inputs, only
    a seed or a model's name shows that it is a service."""
    has = node.inputs.keys()
    if "prompt" not in has or _takes_model(node) or _saves(node):
        return False
    pictures = any(_is_picture(name) for name, _ in node.links()) or _names_picture(node)
    return bool({"seed", "model", "model_name"} & has) or not pictures


def _touches(node: Node) -> bool:
    """A model takes part in what becomes of the picture, without sampling: edits in words, face swaps, learnt
    upscaling."""
    if _saves(node):
        return False
    has_prompt_and_picture = "prompt" in node.inputs and any(_is_picture(name) for name, _ in node.links())
    return has_prompt_and_picture or _is(node, "edits_without_a_model_input") or _takes_model(node)


def _takes_model(node: Node) -> bool:
    return any(_fits("model_inputs", name[:_MAX_NAME]) for name, _ in node.links())


def _is_loader(node: Node) -> bool:
    """Brings a picture in from outside."""
    if any(_is_picture(name) for name, _ in node.links()) or _is(node, "loads_mask"):
        return False
    if _samples(node) or _asks_service(node):
        return False
    return _names_picture(node)


def _names_picture(node: Node) -> bool:
    """Names a file, a folder or a camera that pictures come from."""
    names = (name for name, value in node.inputs.items() if isinstance(value, str | bool))
    return _is(node, "loads_picture") or any(_fits("picture_sources", name[:_MAX_NAME]) for name in names)


def _size(graph: Graph, path: list[str]) -> tuple[_Size, bool]:
    """(width, height) that the node nearest to the end states, and whether nodes behind it may have resized the
    picture in its proportions. None where the graph does not say."""
    resized = False
    for node in (graph[i] for i in path):
        stated = tuple(_number(graph, node.inputs.get(side)) for side in ("width", "height"))
        if stated[0] and stated[1]:
            return (stated[0], stated[1]), resized
        if _is(node, "changes_shape"):
            return None, False
        if _is(node, "empty"):
            return None, False
        resized = resized or _is(node, "scales") or not _is(node, "keeps_size")
    return None, False


def _number(graph: Graph, value: Any) -> int | None:
    """A positive whole number, written here or in the node that it is linked from."""
    if isinstance(value, list) and value and str(value[0]) in graph:
        source = graph[str(value[0])].inputs
        value = source.get("value", source.get("int"))
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _text_input(
    graph: Graph, node: Node | None, inputs: tuple[str, ...], fields: tuple[str, ...]
) -> str | None:
    """The text that one of the node's `inputs` holds, or that the nodes it is linked from hold in `fields`."""
    if node is None:
        return None
    linked = dict(node.links())
    for name in inputs:
        if name in linked:
            for source in walk_back(graph, [linked[name]], lambda _: True):
                value = next(
                    (graph[source].inputs[f] for f in fields if text_of(graph[source].inputs.get(f))), None
                )
                if value is not None:
                    return text_of(value)
        elif text_of(node.inputs.get(name)):
            return text_of(node.inputs[name])
    return None
