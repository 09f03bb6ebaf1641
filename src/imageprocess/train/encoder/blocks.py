"""Find a vision transformer's blocks in an ONNX graph of any exporter, naming and layout.

A block of a pre-norm ViT is two residual additions, tokens + attention(tokens) and tokens + MLP(tokens). They are found
by structure: an Add of which one input is worked out from the other, and whose outputs form the longest chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_PASSING = ("Identity", "Cast", "Dropout")  # operators that hand a value on
_ATTENTION = ("Softmax", "Attention", "MultiHeadAttention", "GroupQueryAttention", "PackedMultiHeadAttention")


@dataclass(slots=True)
class Graph:
    """Who makes each value, and which values depend on the picture."""

    nodes: Sequence[Any]
    pixels: str
    producer: dict[str, int] = field(default_factory=dict)  # value -> index of its node
    from_pixels: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.from_pixels.add(self.pixels)
        for index, node in enumerate(self.nodes):
            self.producer.update((name, index) for name in node.output if name)
            if any(name in self.from_pixels for name in node_inputs(node)):
                self.from_pixels.update(node.output)

    def needed_for(self, outputs: Sequence[str]) -> list[int]:
        """The nodes that `outputs` depend on, in the graph's order."""
        found, open_ = set[int](), list(outputs)
        while open_:
            index = self.producer.get(open_.pop())
            if index is not None and index not in found:
                found.add(index)
                open_.extend(node_inputs(self.nodes[index]))
        return sorted(found)

    def branch(self, end: str, start: str) -> set[int] | None:
        """The nodes between `start` and `end`; None where `end` is not worked out from `start`."""
        found, open_, meets = set[int](), [end], False
        while open_:
            name = open_.pop()
            meets = meets or name == start
            index = self.producer.get(name)
            if name != start and name in self.from_pixels and index is not None and index not in found:
                found.add(index)
                open_.extend(node_inputs(self.nodes[index]))
        return found if meets else None


def node_inputs(node: Any) -> Iterator[str]:
    """Names that the node reads, those that its subgraphs take from outside included."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
            for each in inner.node:
                yield from node_inputs(each)


@dataclass(frozen=True, slots=True)
class _Residual:
    output: str
    is_attention: bool
    before: str | None  # the residual addition that it adds to


def block_outputs(graph: Graph) -> list[str]:
    """The value behind each block, from the first; empty where no chain of blocks is found."""
    chain = _longest_chain(_residuals(graph))
    if not chain or not chain[0].is_attention:
        return []
    following = [*(link.is_attention for link in chain[1:]), True]
    return [link.output for link, ends in zip(chain, following, strict=True) if ends]


def _residuals(graph: Graph) -> dict[str, _Residual]:
    found: dict[str, _Residual] = {}
    for node in graph.nodes:
        if node.op_type != "Add" or not all(name in graph.from_pixels for name in node.input):
            continue
        for skip, end in (node.input, reversed(node.input)):
            between = graph.branch(end, skip)
            if between:
                attends = any(graph.nodes[index].op_type in _ATTENTION for index in between)
                before = _origin(graph, skip)
                found[node.output[0]] = _Residual(
                    node.output[0], attends, before if before in found else None
                )
                break
    return found


def _origin(graph: Graph, name: str) -> str:
    """What `name` hands on."""
    while name in graph.producer and graph.nodes[graph.producer[name]].op_type in _PASSING:
        name = graph.nodes[graph.producer[name]].input[0]
    return name


def _longest_chain(residuals: Mapping[str, _Residual]) -> list[_Residual]:
    length: dict[str, int] = {}
    for name, link in residuals.items():  # in the graph's order: what comes before is there
        length[name] = 1 + (length[link.before] if link.before else 0)
    if not length:
        return []
    chain = [residuals[max(length, key=lambda name: length[name])]]
    while chain[-1].before:
        chain.append(residuals[chain[-1].before])
    return chain[::-1]
