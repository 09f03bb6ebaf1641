"""A CBOR decoder (RFC 8949) for C2PA claims and assertions, with limits on depth and number of items."""

from __future__ import annotations

import struct
from typing import Any

_MAX_DEPTH = 32
_MAX_ITEMS = 50_000
_BREAK = object()


class MalformedError(ValueError):
    """Not CBOR, truncated, or larger than a genuine claim."""


def decode_cbor(data: bytes) -> Any:
    """The first item in `data`. Tags are ignored; byte strings become bytes. Raises MalformedError."""
    return _Decoder(data).item(0)


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._items = 0

    def item(self, depth: int) -> Any:
        self._items += 1
        if depth > _MAX_DEPTH or self._items > _MAX_ITEMS:
            raise MalformedError("too deep, or too much of it")
        (first,) = self._read(1)
        major, short = first >> 5, first & 31
        if major == 7:
            return self._simple(short)
        length = self._length(short)
        if major in (0, 1):
            if length is None:
                raise MalformedError("a number without end")
            return length if major == 0 else -1 - length
        if major in (2, 3):
            raw = self._string(length, depth)
            return raw if major == 2 else raw.decode("utf-8", errors="replace")
        if major == 4:
            return self._array(length, depth)
        if major == 5:
            return self._map(length, depth)
        return self.item(depth + 1)  # the content of a tag

    def _read(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise MalformedError("cut off")
        self._at += size
        return self._data[self._at - size : self._at]

    def _length(self, short: int) -> int | None:
        """The length of an item; None: indefinite, up to a break."""
        if short < 24:
            return short
        if short == 31:
            return None
        if short > 27:
            raise MalformedError("a reserved length")
        return int.from_bytes(self._read(1 << (short - 24)), "big")

    def _string(self, length: int | None, depth: int) -> bytes:
        if length is not None:
            return self._read(length)
        parts = []
        while (part := self.item(depth + 1)) is not _BREAK:
            parts.append(
                part.encode() if isinstance(part, str) else bytes(part) if isinstance(part, bytes) else b""
            )
        return b"".join(parts)

    def _array(self, length: int | None, depth: int) -> list[Any]:
        items: list[Any] = []
        while length is None or len(items) < length:
            value = self.item(depth + 1)
            if value is _BREAK:
                if length is not None:
                    raise MalformedError("a break where there is none")
                break
            items.append(value)
        return items

    def _map(self, length: int | None, depth: int) -> dict[Any, Any]:
        items: dict[Any, Any] = {}
        pairs = 0
        while length is None or pairs < length:
            key = self.item(depth + 1)
            if key is _BREAK:
                if length is not None:
                    raise MalformedError("a break where there is none")
                break
            value = self.item(depth + 1)
            pairs += 1
            if isinstance(key, str | int):
                items[key] = value
        return items

    def _simple(self, short: int) -> Any:
        if short in (25, 26, 27):
            size = {25: 2, 26: 4, 27: 8}[short]
            return struct.unpack({2: ">e", 4: ">f", 8: ">d"}[size], self._read(size))[0]
        if short == 24:
            self._read(1)
        return {20: False, 21: True, 31: _BREAK}.get(short)
