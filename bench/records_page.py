"""Write docs/records.md: every metadata record that is read, its location, and what it was verified with.

python -m bench.records_page [--check]

--check writes nothing and exits with 1 and a message if the page is out of date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imageprocess.provenance.table import TABLE

CLAIMS = Path(__file__).with_name("results") / "camera_claims.json"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "records.md"

_HEAD = """# Records that are read

Written by `python -m bench.records_page` out of `src/imageprocess/provenance/tools.json`, which the program and the
pages read. To add a tool, add an entry there (its fields are explained in `provenance/generators/tools.py`) and a file
or a text that it writes to `tests/provenance`; Python and the browser then read it alike.

A record is an unsigned claim of its writer: anyone can copy, change or remove it. Only Content Credentials with a
trusted signature are stronger.

## Locations of texts

One reader collects every named text of a file in any container; the parsers of tools' records use only these texts.

| place | names |
|---|---|
| PNG | tEXt, zTXt, iTXt; `Raw profile type` (exif, xmp, iptc); eXIf with or without its prefix |
| EXIF, in every container | the texts of both directories, UserComment and Windows' XP fields; of every EXIF block |
| XMP, in every container | each simple property; several packets, extended packets |
| IPTC IIM | object name, instructions, program, by-line, headline, credit, source, copyright, caption |
| JPEG | comments; application segments that hold JSON; Samsung's trailer |
| GIF | comments, XMP, Content Credentials |
| WebP, AVIF, HEIC, TIFF | EXIF, XMP, Content Credentials; of TIFF also IPTC and Photoshop's resources |
| pixels | the stealth record in alpha or RGB |
| inside a text | JSON objects and texts in JSON, two levels deep; behind a name (`Prompt: {`, `AIGC{`) |

A record in EXIF is read as UTF-8 or as UTF-16 of either byte order, whatever encoding the field names.

## What counts as a claim of AI

A word that merely occurs in a name never counts.

- Tools' JSON: several fields of the tool's own together, or the name of the text and its fields.
- The web UI's settings: `Steps` with a sampler, a numeric seed or a numeric CFG scale beside it.
- ComfyUI, made: a node that takes a model and a seed or a noise schedule; ComfyUI's own samplers by their whole class
  names; a node that takes a prompt and neither a model nor a picture. Nodes that save never count, though they may
  keep a prompt.
- ComfyUI, edited: a picture from outside on the way to such a node, to one with a model among its inputs, or to one of
  the classes in `edits_without_a_model_input`, by their whole names.
- Which of ComfyUI's nodes load, scale or crop is read from patterns on class names as well. These turn "made" into
  "edited" or "not clear"; where no model took part they say nothing of AI.
- Ideogram, Luma, Reve, Aphrodite AI: the whole value of the field in which the service writes its own name.
- Credit lines and IPTC terms: the whole value.

## Two decisions

- **A broken manifest beside an unsigned line.** What a broken manifest says decides nothing, and the reason warns of
  it; an unsigned record beside it counts as it would alone. One added text is enough to break a manifest, so a break
  takes nothing away from what stands elsewhere in the file.
- **`algorithmicMedia`** points to nothing. By IPTC's definition the algorithm was not trained on sampled data
  (fractals, patterns), so it is no generative AI, and no camera's work either.

## Whose signature counts

| state | signer | counts as |
|---|---|---|
| `trusted` | on the conformance list (`imageprocess trust update`) | trusted |
| `legacy` | only on the frozen interim list (`imageprocess trust update --interim`) | trusted, and reported as legacy |
| `untrusted` | on neither, or its certificate was not valid when it signed | a claim that anyone can make |

A signature made while its certificate was valid stays trusted after the certificate expires if a trusted time stamp
proves when it was made; without one, the certificate must be valid today. Only the authorities of the interim list are
used, not its list of single certificates, which the installed library ignores (`allowed_list`, tried with a
certificate and with its SHA-256). Revocation responses (OCSP) count if they are in the manifest; none is requested.
Names in CAWG identities are shown as written; their signatures are not checked.

In a browser nothing is verified until the user requests it on the metadata panel: then the same library, as
WebAssembly, is downloaded once from the pages' own host and uses the trust lists of the site.

## ComfyUI's control maps

Edges, depth or a pose taken from a picture (by the node's class), and a ready map that conditions a model made for one
(by the name of the model's file), let no pixel of that picture through: the result is reported as made, not as edited.

## Tools

"Says" is the claim of the record about the image: made by AI, edited with AI, or not clear.
"""


def page() -> str:
    lines = [_HEAD, "| tool | where | known by | says | checked against |", "|---|---|---|---|---|"]
    lines += [_row(*cells) for cells in _rows()]
    lines += ["", "## IPTC Digital Source Type", "", "| term | says |", "|---|---|"]
    words = {
        "ai": "made by AI",
        "ai_edited": "edited with AI",
        "real": "a real picture",
        "nothing": "nothing of AI",
    }
    lines += [_row(f"`{term}`", words[points_to]) for term, (points_to, _) in TABLE["source_types"].items()]
    lines += ["", "Credit lines: " + ", ".join(f"“{credit}”" for credit in TABLE["credits"]) + "."]
    lines += [
        "",
        "IPTC 2025.1: `AISystemUsed`, `AISystemVersionUsed`, `AIPromptInformation`, `AIPromptWriterName`.",
    ]
    return "\n".join([*lines, *_camera_claims()]) + "\n"


def _camera_claims() -> Iterator[str]:
    """Results of `python -m bench.camera_claims`."""
    if not CLAIMS.is_file():
        return
    measured = json.loads(CLAIMS.read_text(encoding="utf-8"))
    yield from (
        "",
        "## False claims of AI",
        "",
        "Public collections of photos, and hostile files, read by their records",
        "alone (`python -m bench.camera_claims`). Times are of files without a manifest, CPU; a record of",
        "megabytes takes as long as it takes to inflate and parse it.",
        "",
        "| collection | files | name a camera | claims of AI | median, ms | p99, ms | slowest, ms |",
        "|---|---|---|---|---|---|---|",
    )
    for name, one in measured.items():
        claims = len(one["claims_of_ai"])
        times = [str(one[f"{share}_without_manifest_cpu_ms"]) for share in ("median", "p99", "slowest")]
        yield _row(name, str(one["files"]), str(one["name_a_camera"]), str(claims), *times)


def _rows() -> Iterator[tuple[str, ...]]:
    for tool in TABLE["tools"]:
        where = ", ".join(f"`{name}`" for name in tool.get("in", ())) or "any text"
        where = f"{where}, or any text" if "anywhere" in tool else where
        where = "named texts" if "notes" in tool else where
        yield (
            tool.get("name", "Fooocus and relatives"),
            where,
            _known_by(tool),
            _says(tool),
            "; ".join(tool["seen"]),
        )
    for tool in TABLE["code"]:
        yield (
            tool["name"],
            tool["where"],
            tool["how"],
            f"made; edited: {tool['edited']}",
            "; ".join(tool["seen"]),
        )


def _known_by(tool: dict[str, Any]) -> str:
    if "pattern" in tool:
        return f"a text like `{tool['pattern']}`"
    conditions = tool.get("json", tool.get("notes"))
    either = [*(conditions if isinstance(conditions, list) else [conditions]), *tool.get("anywhere", ())]
    names = [
        ", ".join(f"`{path}`" + (f" like `{pattern}`" if pattern else "") for path, pattern in one.items())
        for one in either
    ]
    also = "".join(f"; `{name}` like `{pattern}`" for name, pattern in tool.get("also", {}).items())
    return " or ".join(names) + also


def _says(tool: dict[str, Any]) -> str:
    if tool.get("how") == "edited":
        return "edited"
    parts = ["made"]
    for key, word in (("edited_if", "edited"), ("unclear_if", "not clear")):
        paths = [f"`{path}`" for one in tool.get(key, ()) for path in one]
        parts += [f"{word} by {', '.join(paths)}"] if paths else []
    return "; ".join(parts)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def main() -> None:
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit(f"{PAGE} is out of date; run: python -m bench.records_page")


if __name__ == "__main__":
    main()
