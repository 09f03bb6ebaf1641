"""How often a file's own claim of being an AI's is true: counted over a built data set, written into verdict.json.

    python -m bench.claims DATA

Only claims that anyone could have typed count, as `verdict` takes them, of pictures that name no camera beside them.
The probability is the rule of succession over sources, (true + 1) / (all + 2): a thousand pictures of one source are
one writer's habit. A collection of real pictures holds none that somebody has labelled falsely on purpose; the figure
says how such records fare by themselves, not against a forger.
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
    found: dict[str, list[bool]] = defaultdict(list)  # source -> whether each picture with a claim is an AI's
    for row in rows:
        content = (data / row.path).read_bytes()
        image = ImageFacts(row.format, row.width, row.height, 1, len(content))
        if _counts(read_provenance(content, image)):
            found[row.source].append(row.label == "ai")
    true = sum(all(claims) for claims in found.values())
    counted = {
        "data_id": data_id(rows),
        "pictures": sum(map(len, found.values())),
        "ai": sum(map(sum, found.values())),
        "sources": len(found),
        "ai_sources": true,
        "probability_ai": round((true + 1) / (len(found) + 2), 4),
    }
    text = re.sub(r'"claims": {.*?}', f'"claims": {json.dumps(counted)}', TABLE.read_text("utf-8"))
    TABLE.write_text(text, encoding="utf-8")
    print(json.dumps(counted))


def _counts(evidence: list[Evidence]) -> bool:
    names_camera = any(item.kind == "exif" and item.points_to == "real" for item in evidence)
    return not names_camera and any(is_ai_claim(item) for item in evidence)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
