"""How often a claim of AI in a file's metadata is true: counted over a built data set, written into verdict.json.

    python -m bench.claims DATA

Counts unsigned claims, as `verdict` uses them, of images whose metadata names no camera. The probability is the rule
of succession over sources, (true + 1) / (all + 2), as all images of a source come from one program. A collection of
real images holds none that was labelled falsely on purpose: the figure says nothing about forged metadata.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

import imageprocess
from imageprocess.data.index import data_id, read_index
from imageprocess.provenance import read_provenance
from imageprocess.types import Evidence, ImageFacts
from imageprocess.verdict import is_ai_claim

TABLE = Path(imageprocess.__file__).with_name("verdict.json")


def main(data: Path) -> None:
    rows = read_index(data)
    is_ai_by_source: dict[str, list[bool]] = defaultdict(
        list
    )  # source -> for each image with a claim: is it AI
    for row in rows:
        content = (data / row.path).read_bytes()
        image = ImageFacts(row.format, row.width, row.height, 1, len(content))
        if _counts(read_provenance(content, image)):
            is_ai_by_source[row.source].append(row.label == "ai")
    true = sum(all(claims) for claims in is_ai_by_source.values())
    counted = {
        "data_id": data_id(rows),
        "pictures": sum(map(len, is_ai_by_source.values())),
        "ai": sum(map(sum, is_ai_by_source.values())),
        "sources": len(is_ai_by_source),
        "ai_sources": true,
        "probability_ai": round((true + 1) / (len(is_ai_by_source) + 2), 4),
    }
    text = re.sub(r'"claims": {.*?}', f'"claims": {json.dumps(counted)}', TABLE.read_text("utf-8"))
    TABLE.write_text(text, encoding="utf-8")
    print(json.dumps(counted))


def _counts(evidence: list[Evidence]) -> bool:
    names_camera = any(item.kind == "exif" and item.points_to == "real" for item in evidence)
    return not names_camera and any(is_ai_claim(item) for item in evidence)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
