"""ComfyUI's two records as one kind of graph: `prompt`, which ran (node id -> class_type, inputs), and `workflow`, the
editor's view, with its subgraphs laid out."""

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
        """(input's name, id of the node it comes from)"""
        for name, value in self.inputs.items():
            if isinstance(value, list) and len(value) == 2 and _plain(value[0]):
                yield name, str(value[0])


Graph = dict[str, Node]


def ran_graph(record: Any) -> Graph:
    """The `prompt` record; empty unless most of its entries are nodes that name their class. Some writers put entries
    of their own beside the nodes."""
    if not isinstance(record, dict) or not 0 < len(record) <= _MAX_NODES:
        return {}
    graph = {}
    for key, node in record.items():
        if isinstance(node, dict) and isinstance(node.get("class_type"), str):
            inputs = node.get("inputs")
            graph[key] = Node(node["class_type"], inputs if isinstance(inputs, dict) else {})
    return graph if 2 * len(graph) > len(record) else {}


def drawn_graph(record: Any) -> Graph:
    """The `workflow` record: links are numbered there, widgets have no names."""
    if not isinstance(record, dict) or not isinstance(record.get("nodes"), list):
        return {}
    if any(isinstance(node.get("data"), dict) for node in _dicts(record["nodes"])):
        return {}  # another editor's: InvokeAI's nodes keep what they do in `data`
    definitions = record.get("definitions")
    subgraphs = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    known = {one["id"]: one for one in _dicts(subgraphs) if isinstance(one.get("id"), str)}
    graph: Graph = {}
    _lay_out(record, "", _Known(known), graph, {}, 0)
    return graph if len(graph) <= _MAX_NODES else {}


@dataclass(slots=True)
class _Known:
    subgraphs: dict[str, dict[str, Any]]
    laid_out: int = 0


def _lay_out(
    view: dict[str, Any],
    prefix: str,
    known: _Known,
    graph: Graph,
    outer: dict[int, list[Any]],
    depth: int,
) -> dict[int, list[Any]]:
    """Put a view's nodes into `graph`. `outer`: what feeds its inputs. Returns what its outputs are fed by."""
    origins: dict[Any, list[Any]] = {}  # link -> [node's id, slot]
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
        if node["type"] in known.subgraphs and depth < _MAX_NESTING:
            known.laid_out += 1
            if known.laid_out > _MAX_NODES:  # subgraphs of nothing but subgraphs
                continue
            fed = {i: value for i, value in enumerate(inputs.values()) if isinstance(value, list)}
            nested[key] = _lay_out(known.subgraphs[node["type"]], f"{key}:", known, graph, fed, depth + 1)
        else:
            graph[key] = Node(node["type"], inputs)
    if nested:
        _bridge(graph, nested, prefix)
    return {
        slot: _bridged(origins[number], nested)
        for number, _, _, target, slot in links
        if ends.get(target) == "outputNode" and number in origins
    }


def _inputs(node: dict[str, Any], origins: dict[Any, list[Any]]) -> dict[str, Any]:
    """What is linked to the node; the names of its widgets, whose values are not told apart; and of well-known nodes
    the values that matter."""
    inputs: dict[str, Any] = {}
    for slot in _dicts(node.get("inputs")):
        link = slot.get("link")
        if _plain(link) and link in origins:
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


def _bridge(graph: Graph, nested: dict[str, dict[int, list[Any]]], prefix: str) -> None:
    """Links to a subgraph lead to the node inside that feeds its output."""
    for key, node in graph.items():
        if key.startswith(prefix):
            for name, value in node.inputs.items():
                if isinstance(value, list) and len(value) == 2:
                    node.inputs[name] = _bridged(value, nested)


def _bridged(origin: list[Any], nested: dict[str, dict[int, list[Any]]]) -> list[Any]:
    for _ in range(_MAX_NESTING):
        inside = nested.get(str(origin[0]), {}).get(origin[1])
        if inside is None:
            break
        origin = inside
    return origin


def _link(link: Any) -> tuple[Any, Any, Any, Any, Any] | None:
    """(number, from node, from slot, to node, to slot), in either of the two ways that a link is written."""
    if isinstance(link, list) and len(link) >= 5 and all(map(_plain, link[:5])):
        return (link[0], link[1], link[2], link[3], link[4])
    if isinstance(link, dict):
        values = [link.get(key) for key in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
        if all(map(_plain, values)):
            return (values[0], values[1], values[2], values[3], values[4])
    return None


def walk_back(graph: Graph, starts: Iterable[str], follows: Callable[[str], bool]) -> list[str]:
    """Ids of `starts` and of all that leads to them by inputs that `follows` accepts, the nearest first."""
    seen: dict[str, None] = {}
    queue = list(starts)
    for node_id in queue:
        if node_id in seen or node_id not in graph:
            continue
        seen[node_id] = None
        queue += [source for name, source in graph[node_id].links() if follows(name)]
    return list(seen)


def _plain(value: Any) -> bool:
    return isinstance(value, int | str)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in _items(value) if isinstance(item, dict)]
