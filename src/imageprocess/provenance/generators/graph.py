"""Reads both records of ComfyUI as the same kind of graph: `prompt`, which was executed (node id -> class_type,
inputs), and `workflow`, the editor's view, with its subgraphs expanded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

_MAX_NODES = 5_000
_MAX_NESTING = 8  # subgraphs in subgraphs
_MUTED = (2, 4)  # muted, bypassed


@dataclass(frozen=True, slots=True)
class Node:
    kind: str
    inputs: dict[str, Any] = field(default_factory=dict)

    def links(self) -> Iterator[tuple[str, str]]:
        """(name of the input, id of the node that it comes from)"""
        for name, value in self.inputs.items():
            if isinstance(value, list) and len(value) == 2 and _is_id(value[0]):
                yield name, str(value[0])


Graph = dict[str, Node]


def read_prompt(record: Any) -> Graph:
    """The graph of a `prompt` record; empty unless most entries are nodes with a class. Some writers add other
    entries."""
    if not isinstance(record, dict) or not 0 < len(record) <= _MAX_NODES:
        return {}
    graph = {}
    for key, node in record.items():
        if isinstance(node, dict) and isinstance(node.get("class_type"), str):
            inputs = node.get("inputs")
            graph[key] = Node(node["class_type"], inputs if isinstance(inputs, dict) else {})
    return graph if 2 * len(graph) > len(record) else {}


def read_workflow(record: Any) -> Graph:
    """The graph of a `workflow` record, in which links are numbered and widgets have no names."""
    if not isinstance(record, dict) or not isinstance(record.get("nodes"), list):
        return {}
    if any(isinstance(node.get("data"), dict) for node in _dicts(record["nodes"])):
        return {}  # of another editor: nodes of InvokeAI have their content in `data`
    definitions = record.get("definitions")
    subgraphs = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    by_id = {
        subgraph["id"]: subgraph for subgraph in _dicts(subgraphs) if isinstance(subgraph.get("id"), str)
    }
    graph: Graph = {}
    _expand(record, "", _Subgraphs(by_id), graph, {}, 0)
    return graph if len(graph) <= _MAX_NODES else {}


@dataclass(slots=True)
class _Subgraphs:
    by_id: dict[str, dict[str, Any]]
    expanded: int = 0  # number of expansions so far


def _expand(
    view: dict[str, Any],
    prefix: str,
    subgraphs: _Subgraphs,
    graph: Graph,
    outer: dict[int, list[Any]],
    depth: int,
) -> dict[int, list[Any]]:
    """Add the nodes of a view to `graph`. `outer`: sources of its inputs by slot. Returns the sources of its
    outputs."""
    origins: dict[Any, list[Any]] = {}  # link -> [id of the node, slot]
    nested: dict[str, dict[int, list[Any]]] = {}
    ends = {
        end.get("id"): side for side in ("inputNode", "outputNode") if isinstance(end := view.get(side), dict)
    }
    links = [link for link in map(_link, _items(view.get("links"))) if link]
    for number, origin, slot, _, _ in links:
        if ends.get(origin) == "inputNode":
            if slot in outer:
                origins[number] = outer[slot]
        else:
            origins[number] = [f"{prefix}{origin}", slot]
    nodes = [node for node in _dicts(view.get("nodes")) if isinstance(node.get("type"), str)]
    for node in nodes[:_MAX_NODES]:
        if node.get("mode") in _MUTED or len(graph) > _MAX_NODES:
            continue
        key = f"{prefix}{node.get('id')}"
        inputs = _inputs(node, origins)
        if node["type"] in subgraphs.by_id and depth < _MAX_NESTING:
            subgraphs.expanded += 1
            if subgraphs.expanded > _MAX_NODES:  # subgraphs that contain only subgraphs
                continue
            linked = {i: value for i, value in enumerate(inputs.values()) if isinstance(value, list)}
            subgraph = subgraphs.by_id[node["type"]]
            nested[key] = _expand(subgraph, f"{key}:", subgraphs, graph, linked, depth + 1)
        else:
            graph[key] = Node(node["type"], inputs)
    if nested:
        _resolve_links(graph, nested, prefix)
    return {
        slot: _resolve(origins[number], nested)
        for number, _, _, target, slot in links
        if ends.get(target) == "outputNode" and number in origins
    }


def _inputs(node: dict[str, Any], origins: dict[Any, list[Any]]) -> dict[str, Any]:
    """The links of the node; the names of its widgets, whose values cannot be assigned to names; and the relevant
    values of well-known nodes."""
    inputs: dict[str, Any] = {}
    for slot in _dicts(node.get("inputs")):
        link = slot.get("link")
        if _is_id(link) and link in origins:
            inputs[str(slot.get("name"))] = origins[link]
        else:
            inputs[str(slot.get("name"))] = None
    widgets = node.get("widgets_values")
    if isinstance(widgets, dict):
        inputs |= {name: value for name, value in widgets.items() if not isinstance(inputs.get(name), list)}
    elif isinstance(widgets, list):
        kind = node["type"].lower()
        if "empty" in kind and "latent" in kind and len(widgets) >= 2:
            inputs |= {
                name: value
                for name, value in zip(("width", "height"), widgets, strict=False)
                if not isinstance(inputs.get(name), list)
            }
        elif "cliptextencode" in kind and widgets and not isinstance(inputs.get("text"), list):
            inputs["text"] = widgets[0]
    return inputs


def _resolve_links(graph: Graph, nested: dict[str, dict[int, list[Any]]], prefix: str) -> None:
    """Redirect links to a subgraph to the node inside it that is the source of its output."""
    for key, node in graph.items():
        if key.startswith(prefix):
            for name, value in node.inputs.items():
                if isinstance(value, list) and len(value) == 2:
                    node.inputs[name] = _resolve(value, nested)


def _resolve(origin: list[Any], nested: dict[str, dict[int, list[Any]]]) -> list[Any]:
    for _ in range(_MAX_NESTING):
        inside = nested.get(str(origin[0]), {}).get(origin[1])
        if inside is None:
            break
        origin = inside
    return origin


def _link(link: Any) -> tuple[Any, Any, Any, Any, Any] | None:
    """(number, from node, from slot, to node, to slot) of a link, which is a list or a dict in the record."""
    if isinstance(link, list) and len(link) >= 5 and all(map(_is_id, link[:5])):
        return (link[0], link[1], link[2], link[3], link[4])
    if isinstance(link, dict):
        values = [link.get(key) for key in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
        if all(map(_is_id, values)):
            return (values[0], values[1], values[2], values[3], values[4])
    return None


def walk_back(graph: Graph, starts: Iterable[str], follows: Callable[[str], bool]) -> list[str]:
    """Ids of `starts` and of all nodes that lead to them by inputs that `follows` accepts, the nearest first."""
    visited: dict[str, None] = {}
    queue = list(starts)
    for node_id in queue:
        if node_id in visited or node_id not in graph:
            continue
        visited[node_id] = None
        queue += [source for name, source in graph[node_id].links() if follows(name)]
    return list(visited)


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in _items(value) if isinstance(item, dict)]
