from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from imageprocess.data.index import read_index, write_index
from imageprocess.data.sampling import epoch_order
from imageprocess.errors import DataError, UsageError
from imageprocess.train import loop
from imageprocess.train.averaging import Averaged
from imageprocess.train.loop import train
from imageprocess.train.progress import Progress
from imageprocess.train.recipes import Recipe
from imageprocess.train.result import TrainResult
from imageprocess.train.samples.options import LoaderOptions

IN_PROCESS = LoaderOptions(workers=0)
RECIPE = Recipe(epochs=12, batch_size=8, learning_rate=1e-3, warmup_steps=2, precision="32-true")
SMALL = replace(
    RECIPE, net="small32", epochs=15, degraded_copies=0, shift=2, label_smoothing=0.1, averaging=0.5
)


@pytest.fixture(scope="module", params=[RECIPE, SMALL], ids=lambda recipe: recipe.net)
def straight(request: pytest.FixtureRequest, drawn_data: Path, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    out = tmp_path_factory.mktemp("straight")
    return out, train(drawn_data, out, request.param, loader=IN_PROCESS)


def test_separable_classes_are_learnt(straight) -> None:  # type: ignore[no-untyped-def]
    _, result = straight
    assert max(row["val_accuracy"] for row in result.log) == 1.0
    assert (result.val_logits.argmax(1) == result.val_labels).all()


def test_run_writes_curves_log_and_checkpoint(straight) -> None:  # type: ignore[no-untyped-def]
    out, result = straight
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len((out / "log.csv").read_text().splitlines()) == 1 + result.recipe.epochs == 1 + len(result.log)
    assert (out / "last.ckpt").exists() and (out / "best.pth").exists()


def test_interrupted_run_resumes_with_identical_result(
    straight,  # type: ignore[no-untyped-def]
    drawn_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped in the middle of the second epoch, and once more while its held-out pictures are looked at."""

    def stop(at: Progress) -> None:
        if at.epoch == 1 and at.step == 2:
            raise KeyboardInterrupt

    def stop_at_validation(*given: object) -> None:
        raise KeyboardInterrupt

    def go_on(steps: list[tuple[int, int]]) -> TrainResult:
        def note(at: Progress) -> None:
            steps.append((at.epoch, at.step))

        return train(drawn_data, tmp_path, result.recipe, loader=IN_PROCESS, resume=True, report=note)

    _, result = straight
    with pytest.raises(KeyboardInterrupt):
        train(drawn_data, tmp_path, result.recipe, loader=IN_PROCESS, report=stop)
    steps: list[tuple[int, int]] = []
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop, "predict", stop_at_validation)
        go_on(steps)
    assert steps[0] == (1, 4)  # the third was taken before the second was told of
    later: list[tuple[int, int]] = []
    resumed = go_on(later)
    assert later[0] == (2, 1)  # no step of the second epoch is taken again
    for name, weight in result.network.state_dict().items():
        assert torch.equal(weight, resumed.network.state_dict()[name]), name
    np.testing.assert_array_equal(result.val_logits, resumed.val_logits)
    assert [row["train_loss"] for row in result.log] == [row["train_loss"] for row in resumed.log]


def test_cached_arrays_do_not_change_the_result(straight, drawn_data: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    _, result = straight
    if not result.recipe.degraded_copies:
        pytest.skip("these are in memory anyway")
    again = train(drawn_data, tmp_path, result.recipe, loader=LoaderOptions(0, resized=True))
    assert [row["train_loss"] for row in result.log] == [row["train_loss"] for row in again.log]
    np.testing.assert_array_equal(result.val_logits, again.val_logits)


def test_resume_without_checkpoint_or_with_another_recipe_is_rejected(
    straight, drawn_data: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match="nothing to resume"):
        train(drawn_data, tmp_path, RECIPE, loader=IN_PROCESS, resume=True)
    out, result = straight
    for changes in ({"learning_rate": 1.0}, {"averaging": 0.1}):
        recipe = replace(result.recipe, **changes)
        with pytest.raises(UsageError, match=next(iter(changes))):
            train(drawn_data, out, recipe, loader=IN_PROCESS, resume=True)


def test_resume_with_other_data_and_overwriting_a_run_are_rejected(  # type: ignore[no-untyped-def]
    straight, drawn_data: Path
) -> None:
    out, result = straight
    before = {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    swapped = [
        replace(row, split={"train": "val", "val": "train"}.get(row.split, row.split))
        for row in read_index(drawn_data)
    ]
    with pytest.raises(UsageError, match="other images"):
        train(drawn_data, out, result.recipe, loader=IN_PROCESS, rows=swapped, resume=True)
    with pytest.raises(UsageError, match="already contains a run"):
        train(drawn_data, out, result.recipe, loader=IN_PROCESS)
    assert {path: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


def test_last_batch_of_one_image_is_dropped(drawn_data: Path, tmp_path: Path) -> None:
    rows = read_index(drawn_data)
    shown = len(epoch_order([row for row in rows if row.split == "train"], seed=0, epoch=0))
    recipe = replace(RECIPE, epochs=1, batch_size=shown - 1)
    taken: list[Progress] = []
    train(drawn_data, tmp_path / "a", recipe, loader=IN_PROCESS, report=taken.append)
    assert [at.steps for at in taken] == [1]
    with pytest.raises(UsageError, match="--batch-size 1"):
        train(drawn_data, tmp_path / "b", replace(recipe, batch_size=1), loader=IN_PROCESS)


def test_split_with_one_class_is_rejected_before_training(drawn_data: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(drawn_data, tmp_path / "set")
    for split in ("train", "val"):
        rows = [row for row in read_index(drawn_data) if (row.split, row.label) != (split, "ai")]
        write_index(folder, rows)
        with pytest.raises(DataError, match=f"all {split} images are real"):
            train(folder, tmp_path / "run", RECIPE, loader=IN_PROCESS)
    assert not (tmp_path / "run").exists()


def test_set_without_validation_is_rejected(drawn_data: Path, tmp_path: Path) -> None:
    rows = [row for row in read_index(drawn_data) if row.split == "train"]
    with pytest.raises(DataError, match="val split"):
        train(drawn_data, tmp_path, RECIPE, loader=IN_PROCESS, rows=rows)


def test_running_mean_excludes_untrained_weights() -> None:
    network = nn.BatchNorm1d(1)
    mean = Averaged(network, 0.999)
    for value, steps in ((2.0, 100), (0.0, 10_000), (1.0, 693)):
        nn.init.constant_(network.weight, value)
        network.running_var.fill_(value)  # type: ignore[union-attr]
        network.num_batches_tracked += steps  # type: ignore[operator]
        for _ in range(steps):
            mean.update(network)
        if steps == 100:  # with .999 from the first step on it would be 1.1
            assert float(mean.module.weight) > 1.99
    assert float(mean.module.weight) == pytest.approx(0.5, abs=0.01)
    assert float(mean.module.running_var) == pytest.approx(0.5, abs=0.01)
    assert mean.module.num_batches_tracked == network.num_batches_tracked
    again = Averaged(network, 0.999)
    again.load_state_dict(mean.state_dict())
    assert again.steps == mean.steps == 10_793


def test_a_checkpoint_of_an_earlier_version_is_named(straight, drawn_data: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out, result = straight
    kept = torch.load(out / "last.ckpt", weights_only=True)
    kept["recipe"] |= {"mixup": 0.0, "folds": 4}
    torch.save(kept, tmp_path / "last.ckpt")
    with pytest.raises(
        UsageError,
        match=r"earlier version with options that no longer exist \(folds, mixup\); start a new run",
    ):
        train(drawn_data, tmp_path, result.recipe, loader=IN_PROCESS, resume=True)
