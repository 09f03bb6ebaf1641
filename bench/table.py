"""The speed tables of docs/benchmarks.md, from the results of bench.speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.markers import write_between


def write(page: Path, facts: dict[str, Any]) -> None:
    tables = [_in_process, _folder, _others]
    needed = [("in_process",), ("command_line",), ("http", "start_up")]
    parts = [show(facts) for show, names in zip(tables, needed, strict=True) if facts.keys() >= set(names)]
    text = "\n\n".join("\n".join(part) for part in parts)
    write_between(page, "speed", text)


def _models(facts: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(["cnn", facts["default_model"]]))


def _in_process(facts: dict[str, Any]) -> list[str]:
    models = _models(facts)
    heads = [f"{m}: ms (p99) | {m} / decode | original / {m} | {m}: pictures a second" for m in models]
    lines = [
        f"| one picture, one core: CPU time | decode alone, ms | {' | '.join(heads)} |",
        "|---|---|" + "---|" * (4 * len(models)),
    ]
    for row in facts["in_process"]:
        cells = [
            f"{row[f'{m}_ms']['p50']} ({row[f'{m}_ms']['p99']}) | {row[f'{m}_over_decode']} "
            f"| {row[f'original_over_{m}']} | {row[f'{m}_a_second']}"
            for m in models
        ]
        lines.append(f"| {row['size']} {row['format']} | {row['decode_ms']['p50']} | {' | '.join(cells)} |")
    return lines


def _folder(facts: dict[str, Any]) -> list[str]:
    command_line = facts["command_line"]
    cpus = facts["machine"]["cpus"]
    lines = [
        f"| {command_line['pictures']} JPEGs of 1 MP, {cpus} cores | pictures a second | times the original's way "
        "| memory at most, MB |",
        "|---|---|---|---|",
    ]
    for name, row in command_line.items():
        if isinstance(row, dict):
            shown = (
                "the original's way"
                if name == "original"
                else f"`imageprocess {name.replace(' ', ' … --model ')}`"
            )
            lines.append(f"| {shown} | {row['a_second']} | {row['original_over_it']} | {row['peak_mb']} |")
    return lines


def _others(facts: dict[str, Any]) -> list[str]:
    http, start = facts["http"], facts["start_up"]
    lines = [
        f"| else, with `{facts['default_model']}` | measured |",
        "|---|---|",
        f"| `POST /predict`, 1 MP JPEG: p50, p99 | {http['ours_ms']['p50']}, {http['ours_ms']['p99']} ms; "
        f"the original's way {http['original_ms']['p50']}, {http['original_ms']['p99']} ms; "
        f"ratio {http['original_over_ours']} |",
        f"| `imageprocess --help` | {start['help_s']} s |",
        f"| first verdict, process start included | {start['first_verdict_s']} s |",
    ]
    if facts.get("install_mb"):
        lines.append(f"| installed without extras | {facts['install_mb']} MB |")
    return lines
