"""Lists which machine-readable AI marks a file has and lacks.

The EU's AI Act (Article 50(2)) requires providers to mark generated content in a machine-readable format; China's
GB 45438-2025 requires its own label in the file. A file without marks may still be AI-made: nearly every upload removes
marks, and many generators write none.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..types import Evidence

NO_VERDICT = "The absence of marks proves nothing: most uploads remove them, and many generators write none."

_AIGC_LABELS = ("China's AIGC label", "Tencent Cloud's AIGC label")
_NAMES = {
    "c2pa": "Content Credentials",
    "iptc": "IPTC's AI fields",
    "aigc": "China's AIGC label",
    "watermark": "open watermark",
    "generator_metadata": "generator's record",
}


def find_marks(evidence: Iterable[Evidence]) -> dict[str, str]:
    """Kind of mark -> "says AI" (made or edited), "present" (without a statement about AI), or "absent"."""
    states = dict.fromkeys(_NAMES, "absent")
    for item in evidence:
        kind: str = item.kind
        if kind == "generator_metadata" and str(item.detail.get("generator", "")).startswith(_AIGC_LABELS):
            kind = "aigc"
        if kind in states and states[kind] != "says AI":
            states[kind] = "says AI" if item.points_to in ("ai", "ai_edited") else "present"
    return states


def marks_line(marks: dict[str, str]) -> str:
    """One sentence on the marks that the file has and lacks."""
    present = [
        _NAMES[kind] + (" (says AI)" if state == "says AI" else "")
        for kind, state in marks.items()
        if state != "absent"
    ]
    absent = [_NAMES[kind] for kind, state in marks.items() if state == "absent"]
    sentence = f"Machine-readable marks (EU AI Act Article 50, GB 45438): {', '.join(present) or 'none'}"
    return f"{sentence}; not found: {', '.join(absent)}." if absent else f"{sentence}."
