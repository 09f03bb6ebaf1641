"""Write generated text into a page, between two comments."""

from __future__ import annotations

from pathlib import Path


def write_between(page: Path, name: str, text: str) -> None:
    """Replace the text between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. Raises ValueError without them."""
    before, _, after = _parts(page, name)
    page.write_text(f"{before}\n{text}\n{after}", encoding="utf-8")


def between(page: Path, name: str) -> str:
    """The text between the comments. Raises ValueError without them."""
    return _parts(page, name)[1].strip("\n")


def _parts(page: Path, name: str) -> tuple[str, str, str]:
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, has_begin, rest = page.read_text("utf-8").partition(begin)
    text, has_end, after = rest.partition(end)
    if not (has_begin and has_end):
        raise ValueError(f"{page}: the markers {begin} and {end} are missing")
    return before + begin, text, end + after
