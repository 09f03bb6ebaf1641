"""Checks the boxes of a manifest store before a library parses them, so that hostile nesting never reaches it."""

from __future__ import annotations

_MAX_DEPTH = 16  # five levels are usual: store > manifest > assertion store > assertion > content
_MAX_BOXES = 50_000


def is_sane(store: bytes) -> bool:
    """Whether the JUMBF boxes (ISO/IEC 19566-5) lie within their parents, and depth and number are below the limits."""
    stack = [(0, len(store))]  # (next offset, end of the enclosing box); the height of the stack is the depth
    boxes = 0
    while stack:
        at, end = stack.pop()
        if at + 8 > end:
            continue
        size, header = int.from_bytes(store[at : at + 4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(store[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = end - at
        boxes += 1
        if size < header or at + size > end or boxes > _MAX_BOXES:
            return False
        stack.append((at + size, end))
        if store[at + 4 : at + 8] == b"jumb":
            stack.append((at + header, at + size))
        if len(stack) > _MAX_DEPTH:
            return False
    return True
