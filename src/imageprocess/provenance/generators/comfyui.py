"""ComfyUI's records. Following a graph back from the node that saves the image shows whether the pixels came from noise
or a prompt (made), from an image that a model changed (edited), or passed through no model (unclear).

Kinds of nodes are recognised by their inputs (a sampler takes a model and a seed or a noise schedule, a service takes a
prompt and a seed, a source of images takes a file), since authors choose the names of nodes freely. tools.json has the
patterns.
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
from .graph import Graph, Node, read_prompt, read_workflow, walk_back

_P = {name: re.compile(pattern, re.I) for name, pattern in TABLE["comfyui"].items()}
_MAX_NAME = 200  # characters of names that patterns are applied to, because some patterns take quadratic time
_MAX_ENDS = 24  # saved images that are examined
_PROMPT_FIELDS = ("text", "prompt", "text_g", "t5xxl", "clip_l", "string", "value", "text1", "positive")
_Size = tuple[int, int] | None


def read_comfyui(documents: Sequence[Document], facts: ImageFacts) -> Generation | None:
    """The record, or None if no document is a ComfyUI graph. The executed graph takes precedence over the editor's."""
    for document in documents:
        graph = read_prompt(document.value)
        if graph:
            service = isinstance(document.value.get("extraMetadata"), str)
            return _read(graph, facts, "Civitai (ComfyUI)" if service else "ComfyUI")
    for document in documents:
        graph = read_workflow(document.value)
        if graph:
            return _read(graph, facts, "ComfyUI")
    return None


def _read(graph: Graph, facts: ImageFacts, generator: str) -> Generation:
    how, path, size, resized = _classify(graph, facts)
    sampler = next((graph[i] for i in path if _is_sampler(graph[i]) or _is_service(graph[i])), None)
    settings = {} if sampler is None else sampler.inputs
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
        settings={k: v for k, v in settings.items() if isinstance(v, str | int | float)},
        size=size,
        resized=resized,
    )


def _classify(graph: Graph, facts: ImageFacts) -> tuple[How, list[str], _Size, bool]:
    """(how the saved image was made, path of nodes that lead to it, its size, whether it was resized). If the graph
    saves several images, one that fits the size of this file counts; if none does and they disagree, the result is
    unclear."""
    results = []
    for end in _ends(graph):
        path = walk_back(graph, [end], _is_picture)
        how = _how(graph, path)
        size, resized = _size(graph, path) if how == "made" else (None, False)
        results.append((how, path, size, resized))
    if not results:
        return "unclear", [], None, False
    fitting = [result for result in results if result[2] and size_fits(result[2], result[3], facts)]
    kinds = {result[0] for result in results}
    best = (fitting or results)[0]
    if len(kinds) == 1 or fitting:
        return best
    return "unclear", best[1], None, False


def _ends(graph: Graph) -> list[str]:
    """Nodes that save an image; if there are none, nodes that preview one, or take one and have no successor."""
    consumed = {source for node in graph.values() for _, source in node.links()}
    consumers = [i for i, node in graph.items() if any(_is_picture(name) for name, _ in node.links())]
    saving = [i for i in consumers if _saves(graph[i])]
    saving = [i for i in saving if not _is(graph[i], "previews")] or saving
    ends = [i for i in consumers if i not in consumed]
    outputs = [i for i in ends if not _is(graph[i], "previews")]
    return (saving or outputs or ends)[:_MAX_ENDS]


def _how(graph: Graph, path: list[str]) -> How:
    nodes = [graph[i] for i in path]
    generates = any(_is_sampler(node) or _is_service(node) for node in nodes)
    pixels = _without_maps(graph, path)
    if any(_is_loader(pixels[i]) for i in walk_back(pixels, path[:1], _is_picture)):
        return "edited" if generates or any(_edits(node) for node in nodes) else "unclear"
    if not generates:
        return "unclear"
    upstream = walk_back(graph, path, lambda _: True)
    references = [i for i in upstream if _is(graph[i], "edits_reference")]
    reference_sources = walk_back(pixels, references, _is_picture)
    return "edited" if any(_is_loader(pixels[i]) for i in reference_sources) else "made"


def _without_maps(graph: Graph, path: list[str]) -> Graph:
    """The graph without the nodes that output only a control map (edges, depth, a pose): no pixel of the image from
    which a map is computed reaches the result. A map may also be loaded from a file: then it is recognised by the model
    that is conditioned on it."""
    upstream = [graph[i] for i in walk_back(graph, path, lambda _: True)]
    texts = (value for node in upstream for value in node.inputs.values() if isinstance(value, str))
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


def _is_sampler(node: Node) -> bool:
    """ComfyUI's own samplers, and nodes with a model and a seed, noise or schedule as inputs."""
    if _is(node, "core_samplers"):
        return True
    if _saves(node):
        return False
    if _is(node, "scales") and not any(name in node.inputs for name in ("seed", "noise_seed", "denoise")):
        return False
    sampling = sum(_fits("sampling_inputs", name[:_MAX_NAME]) for name in node.inputs)
    models = _takes_model(node)
    has_sampler_name = "sampler" in node.kind.lower() and "select" not in node.kind.lower()
    if has_sampler_name and not node.inputs.keys() - {name for name, _ in node.links()}:  # an old workflow
        return models or any(not _is_picture(name) for name, _ in node.links())
    denoises = any(_fits("denoising_inputs", name[:_MAX_NAME]) for name in node.inputs)
    return (models and sampling >= 1) or (has_sampler_name and sampling >= 2 and denoises)


def _saves(node: Node) -> bool:
    """Nodes that save an image. Some take a prompt, a seed and the name of a model, to write them into the file."""
    return "filename_prefix" in node.inputs or _is(node, "saves")


def _is_service(node: Node) -> bool:
    """Nodes that call a service: with a prompt and without a model input. A node with an image as input is a service
    only if it has a seed or the name of a model too."""
    names = node.inputs.keys()
    if "prompt" not in names or _takes_model(node) or _saves(node):
        return False
    has_picture = any(_is_picture(name) for name, _ in node.links()) or _names_picture(node)
    return bool({"seed", "model", "model_name"} & names) or not has_picture


def _edits(node: Node) -> bool:
    """Nodes that change an image with a model, without sampling: edits by prompt, face swaps, learned upscaling."""
    if _saves(node):
        return False
    has_prompt_and_picture = "prompt" in node.inputs and any(_is_picture(name) for name, _ in node.links())
    return has_prompt_and_picture or _is(node, "edits_without_a_model_input") or _takes_model(node)


def _takes_model(node: Node) -> bool:
    return any(_fits("model_inputs", name[:_MAX_NAME]) for name, _ in node.links())


def _is_loader(node: Node) -> bool:
    """Nodes that load an image from outside the graph."""
    if any(_is_picture(name) for name, _ in node.links()) or _is(node, "loads_mask"):
        return False
    if _is_sampler(node) or _is_service(node):
        return False
    return _names_picture(node)


def _names_picture(node: Node) -> bool:
    """Whether an input of the node gives a file, a folder or a camera as source of images."""
    names = (name for name, value in node.inputs.items() if isinstance(value, str | bool))
    return _is(node, "loads_picture") or any(_fits("picture_sources", name[:_MAX_NAME]) for name in names)


def _size(graph: Graph, path: list[str]) -> tuple[_Size, bool]:
    """(width, height) given by the node nearest to the end, and whether later nodes may have resized the image with the
    same proportions. None if the graph has no size."""
    resized = False
    for node in (graph[i] for i in path):
        width, height = (_number(graph, node.inputs.get(side)) for side in ("width", "height"))
        if width and height:
            return (width, height), resized
        if _is(node, "changes_shape"):
            return None, False
        if _is(node, "empty"):
            return None, False
        resized = resized or _is(node, "scales") or not _is(node, "keeps_size")
    return None, False


def _number(graph: Graph, value: Any) -> int | None:
    """A positive integer, given directly or by the node that it is linked to."""
    if isinstance(value, list) and value and str(value[0]) in graph:
        source = graph[str(value[0])].inputs
        value = source.get("value", source.get("int"))
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _text_input(
    graph: Graph, node: Node | None, inputs: tuple[str, ...], fields: tuple[str, ...]
) -> str | None:
    """The text in one of the node's `inputs`, or in one of the `fields` of the nodes that lead to it."""
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
