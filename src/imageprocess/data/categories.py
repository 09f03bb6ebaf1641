"""What the pictures of a source show, in few words."""

from __future__ import annotations

_HEADS = {"art": "art", "scan": "art", "graphics": "graphics", "cg": "graphics", "photo": "photo"}
_PHOTO_WORDS = ("photo", "camera", "video")
_ART_WORDS = ("art", "anime", "paint", "illustr", "drawing", "poster")


def category_of(text: str) -> str:
    """A data set's words for what its pictures show -> photo, art, graphics, face, screenshot, mixed or the words."""
    lower = text.lower()
    head = lower.partition(":")[0]
    if "screenshot" in lower:
        return "screenshot"
    if head != "graphics" and ("face" in lower or "portrait" in lower):
        return "face"
    if ":" in lower and head in _HEADS:
        return _HEADS[head]
    is_photo = any(word in lower for word in _PHOTO_WORDS)
    is_art = any(word in lower for word in _ART_WORDS)
    if is_photo and is_art:
        return "mixed"
    return "photo" if is_photo else "art" if is_art else text or "unknown"
