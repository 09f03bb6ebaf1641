"""What each ingredient of the training is worth, and what other architectures come to on the same pictures.

    python -m bench.ablations DATA RUNS [--epochs N]

Every row is trained anew on DATA (`data build`; for the row with fakes, `data fakes` too), with the same number of
pictures seen, and measured on the sources of open_test, which no run has seen. RUNS keeps what is trained, so that an
interrupted table goes on. Writes docs/ablations.md.
"""

from __future__ import annotations

import argparse
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from imageprocess.data.index import read_index
from imageprocess.evaluate.pictures import Dataset, Picture, read_dataset
from imageprocess.evaluate.study import evaluate
from imageprocess.model.spec import load_spec
from imageprocess.train.export import export
from imageprocess.train.fakes import FAKES_NAME, read_fakes
from imageprocess.train.loop import Progress, train
from imageprocess.train.nets import Gaze
from imageprocess.train.recipes import NETS, RECIPES, Recipe

PAGE = Path(__file__).parents[1] / "docs" / "ablations.md"
TIERS = ("raw", "web")
_WINDOW = 64  # of every row: a twelfth of the cost of the whole 224
_A_SOURCE = 20  # pictures measured of each source at most: more hardly narrow an interval over sources


class WithoutResidual(Gaze):
    """Gaze, with the pixels alone."""

    fronts = 12

    def front(self, pixels: Tensor) -> Tensor:
        return nn.functional.pixel_unshuffle(pixels, 2)


# By name, for `train` looks there.
_BLIND = "gaze_without_residual"
NETS[_BLIND] = WithoutResidual
RECIPES[_BLIND] = replace(RECIPES["gaze"], net=_BLIND)


def rows(epochs: int) -> dict[str, Recipe]:
    """What a row is called -> how its network is trained."""
    gaze = replace(RECIPES["gaze"], epochs=epochs, deliveries=2, window=_WINDOW, averaging=0.0)
    peers = {
        "Glance": "glance", "ResNet-18": "resnet18", "NPR": "npr", "FerretNet": "ferretnet",
    }  # fmt: skip
    found = {
        "Gaze": gaze,
        "equalisation off": replace(gaze, deliveries=0),
        "residual off": replace(gaze, net=_BLIND),
        "fakes of our own besides": replace(gaze, fakes=True),
        "mix-up off": replace(gaze, mixup=0.0),
        "by class, not by source": replace(gaze, balance="class"),
    }
    for name, net in peers.items():
        found[name] = replace(RECIPES[net], epochs=epochs, deliveries=2, window=_WINDOW, balance="source")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--finished", action="store_true", help="train nothing more; the rows that there are")
    asked = parser.parse_args()
    has_fakes = (asked.data / FAKES_NAME).exists()
    table = {name: recipe for name, recipe in rows(asked.epochs).items() if has_fakes or not recipe.fakes}
    if asked.finished:
        table = {name: recipe for name, recipe in table.items() if _folder(asked.runs, name).exists()}
    folders = [_trained(name, recipe, asked.data, asked.runs) for name, recipe in table.items()]
    study = evaluate(thinned(read_dataset(asked.data, "open_test")), folders, TIERS, jobs=2)
    facts = [load_spec(folder).facts for folder in folders]
    about_fakes = told_of_fakes(asked.data) if has_fakes else ""
    PAGE.write_text("\n".join(page(list(table), facts, study.record, about_fakes)) + "\n", encoding="utf-8")
    print(PAGE.read_text("utf-8"))


def thinned(dataset: Dataset) -> Dataset:
    """At most _A_SOURCE pictures of each source and class, spread over it."""
    groups: dict[tuple[str, bool], list[Picture]] = defaultdict(list)
    for picture in dataset.pictures:
        groups[picture.source, picture.is_ai].append(picture)
    kept = [group[:: -(-len(group) // _A_SOURCE)] for group in groups.values()]
    return replace(dataset, pictures=tuple(chain.from_iterable(kept)))


def told_of_fakes(data: Path) -> str:
    """How many there are and how well they were made: autoencoders of few steps make poor ones."""
    rows = read_fakes(data, [row for row in read_index(data) if row.split == "train"])
    steps = {path.stem.split("-")[-3] for path in (data / "fakes").glob("*.csv")}
    return (
        f"Fakes of our own: {len(rows):,}, by {len({row.source for row in rows})} kinds of autoencoders, each trained "
        f"for {' or '.join(sorted(steps))} steps."
    )


def _trained(name: str, recipe: Recipe, data: Path, runs: Path) -> Path:
    """-> the model folder."""
    folder = _folder(runs, name)
    if not folder.exists():
        print(name, flush=True)
        resume = (folder.parent / "last.ckpt").exists()
        result = train(data, folder.parent, recipe, resume=resume, resized=True, report=_tell)
        export(result, folder, name=name)
    return folder


def _folder(runs: Path, name: str) -> Path:
    return runs / name.replace(" ", "-") / "model"


def _tell(at: Progress) -> None:
    if at.step % 100 == 0 or at.step == at.steps:
        print(
            f"  epoch {at.epoch + 1}, step {at.step} of {at.steps}, {at.images_per_s:.0f} images/s",
            flush=True,
        )


def page(
    names: list[str], facts: list[dict[str, Any]], record: dict[str, Any], about_fakes: str
) -> list[str]:
    data, training = record["data"], facts[0]["training"]
    seen = training["recipe"]["epochs"] * training["images"]["train"] // 1000
    return [
        "# What each ingredient is worth",
        "",
        *textwrap.wrap(
            f"Every row is a network trained from nothing on data set `{training['data_id']}` with about {seen:,} "
            f"thousand pictures seen, windows of {_WINDOW} x {_WINDOW} pixels, one seed; and then measured, whole, on "
            f"{data['n_ai']:,} AI and {data['n_real']:,} real pictures of {data['sources_ai']} and "
            f"{data['sources_real']} sources that no training has seen. In brackets the 95 % interval over sources: "
            "where two overlap by much, the rows are not told apart by this table. Short runs rank ingredients; what "
            f"the shipped models reach stands in their cards. {about_fakes}",
            120,
        ),
        "",
        "| | parameters | minutes beside other work | val accuracy | " + " | ".join(f"AUROC {tier}" for tier in TIERS)
        + " | balanced accuracy raw |",
        "|---|---|---|---|" + "---|" * len(TIERS) + "---|",
        *_rendered(names, facts, record),
        "",
        "```sh",
        "imageprocess data build --out DATA && imageprocess data fakes DATA",
        "python -m bench.ablations DATA RUNS   # writes this page",
        "```",
    ]  # fmt: skip


def _rendered(names: list[str], facts: list[dict[str, Any]], record: dict[str, Any]) -> Iterator[str]:
    for name, each, model in zip(names, facts, record["models"], strict=True):
        training = each["training"]
        minutes = sum(epoch["seconds"] for epoch in training["log"]) / 60
        best = training["log"][training["best_epoch"] - 1]
        tiers = [model["tiers"][tier]["by_source"] for tier in TIERS]
        aurocs = " | ".join(
            f"{found['auroc']:.3f} [{found['intervals']['auroc'][0]:.3f}, {found['intervals']['auroc'][1]:.3f}]"
            for found in tiers
        )
        yield (
            f"| {name} | {each['parameters'] / 1e6:.2f} M | {minutes:.1f} | {best['val_accuracy']:.1%} "
            f"| {aurocs} | {tiers[0]['balanced_accuracy']:.1%} |"
        )


if __name__ == "__main__":
    main()
