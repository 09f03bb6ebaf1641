"""Find the blocks of a vision transformer in an ONNX graph of any exporter, whatever its names and layout.

A block of a pre-norm ViT consists of two residual additions, tokens + attention(tokens) and tokens + MLP(tokens). These
are the Add nodes of which one input is computed from the other; the blocks are the longest chain of such nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_PASS_THROUGH = ("Identity", "Cast", "Dropout")  # operators that do not change a value at inference
_ATTENTION = ("Softmax", "Attention", "MultiHeadAttention", "GroupQueryAttention", "PackedMultiHeadAttention")


@dataclass(slots=True)
class Graph:
    """The node that computes each value, and the values that depend on the input image."""

    nodes: Sequence[Any]
    pixels: str  # name of the input image
    producer: dict[str, int] = field(default_factory=dict)  # value -> index of its node
    from_pixels: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.from_pixels.add(self.pixels)
        for index, node in enumerate(self.nodes):
            self.producer.update((name, index) for name in node.output if name)
            if any(name in self.from_pixels for name in node_inputs(node)):
                self.from_pixels.update(node.output)

    def needed_for(self, outputs: Sequence[str]) -> list[int]:
        """Indices of the nodes that `outputs` depend on, in the order of the graph."""
        visited, stack = set[int](), list(outputs)
        while stack:
            index = self.producer.get(stack.pop())
            if index is not None and index not in visited:
                visited.add(index)
                stack.extend(node_inputs(self.nodes[index]))
        return sorted(visited)

    def branch(self, end: str, start: str) -> set[int] | None:
        """Indices of the nodes between the values `start` and `end`; None if `end` does not depend on `start`."""
        visited, stack, depends = set[int](), [end], False
        while stack:
            name = stack.pop()
            depends = depends or name == start
            index = self.producer.get(name)
            if name != start and name in self.from_pixels and index is not None and index not in visited:
                visited.add(index)
                stack.extend(node_inputs(self.nodes[index]))
        return visited if depends else None


def node_inputs(node: Any) -> Iterator[str]:
    """Names of the values that the node reads, including those that its subgraphs read."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for subgraph in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
            for inner in subgraph.node:
                yield from node_inputs(inner)


@dataclass(frozen=True, slots=True)
class _Residual:
    output: str
    is_attention: bool
    before: str | None  # the residual addition whose output it adds to


def block_outputs(graph: Graph) -> list[str]:
    """The output of each block, in order; empty if the graph has no chain of blocks."""
    chain = _longest_chain(_residuals(graph))
    if not chain or not chain[0].is_attention:
        return []
    ends_block = [*(link.is_attention for link in chain[1:]), True]  # the next addition is of attention
    return [link.output for link, is_end in zip(chain, ends_block, strict=True) if is_end]


def _residuals(graph: Graph) -> dict[str, _Residual]:
    """{output: residual addition} of the graph."""
    residuals: dict[str, _Residual] = {}
    for node in graph.nodes:
        if node.op_type != "Add" or not all(name in graph.from_pixels for name in node.input):
            continue
        for skip, end in (node.input, reversed(node.input)):
            between = graph.branch(end, skip)
            if between:
                has_attention = any(graph.nodes[index].op_type in _ATTENTION for index in between)
                before = _origin(graph, skip)
                residuals[node.output[0]] = _Residual(
                    node.output[0], has_attention, before if before in residuals else None
                )
                break
    return residuals


def _origin(graph: Graph, name: str) -> str:
    """The value that `name` passes through unchanged."""
    while name in graph.producer and graph.nodes[graph.producer[name]].op_type in _PASS_THROUGH:
        name = graph.nodes[graph.producer[name]].input[0]
    return name


def _longest_chain(residuals: Mapping[str, _Residual]) -> list[_Residual]:
    length: dict[str, int] = {}
    for name, link in residuals.items():  # in the order of the graph: link.before has a length already
        length[name] = 1 + (length[link.before] if link.before else 0)
    if not length:
        return []
    chain = [residuals[max(length, key=lambda name: length[name])]]
    while chain[-1].before:
        chain.append(residuals[chain[-1].before])
    return chain[::-1]
