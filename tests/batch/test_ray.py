"""The Ray engine on two raylets of one machine, one of which is killed during a job."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imageprocess.batch import Job, Summary, run
from imageprocess.batch.inputs import Inputs
from imageprocess.batch.score import Task

ray = pytest.importorskip("ray", reason="needs the extra [batch]")
Rows = Callable[[Path], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of two (logical) cores each; the driver runs on the first."""
    from ray.cluster_utils import Cluster

    # Workers use the import path of this process.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    node = {"num_cpus": 2, "object_store_memory": 200_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    second = cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        yield cluster, second
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
def job(folder: Path, task: Task, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Job]:
    """362 inputs: the files of the folder, and the same in a tar and a Parquet file."""
    import tarfile

    import pyarrow
    from pyarrow import parquet

    place = tmp_path_factory.mktemp("job")
    with tarfile.open(place / "a.tar", "w") as archive:
        archive.add(folder, "pictures")
    pictures = [path.read_bytes() for path in sorted(folder.iterdir())]
    parquet.write_table(pyarrow.table({"jpg": pictures}), place / "b.parquet", row_group_size=20)
    (place / "damaged.tar").write_bytes(b"?" * 2000)
    shards = [str(place / name) for name in ("a.tar", "damaged.tar", "b.parquet")]

    def make(out: Path, engine: Any) -> Job:
        here = os.path.relpath(folder)
        arguments = [here, *shards] * 2
        return Job(Inputs(tuple(arguments)), out, task, engine, jobs=2)

    return make


@pytest.fixture(scope="module")
def expected(
    job: Callable[..., Job], rows: Rows, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    out = tmp_path_factory.mktemp("local") / "out.jsonl"
    run(job(out, "local"))
    actual = rows(out)
    assert len(actual) == 2 * (3 * 60 + 1)
    return actual


def _actors_on(node_id: str) -> list[Any]:
    from ray._private.state import actors

    live_actors = actors().values()
    return [
        actor for actor in live_actors if actor["Address"]["NodeID"] == node_id and actor["State"] == "ALIVE"
    ]


def test_lost_ray_node_loses_no_row(
    cluster: Any, job: Callable[..., Job], expected: list[dict[str, Any]], tmp_path: Path, rows: Rows
) -> None:
    nodes, second = cluster
    lost_actors: list[Any] = []

    def kill_second(at: Summary) -> None:
        if at.rows == 50:
            lost_actors.extend(_actors_on(second.node_id))
            nodes.remove_node(second, allow_graceful=False)

    summary = run(job(tmp_path / "out.jsonl", "ray"), report=kill_second)
    assert lost_actors
    assert [node["Alive"] for node in ray.nodes() if node["NodeID"] == second.node_id] == [False]
    assert rows(tmp_path / "out.jsonl") == expected
    assert (summary.rows, summary.failed) == (len(expected), sum(r["status"] == "error" for r in expected))


def test_resume_on_remaining_ray_nodes(
    cluster: Any, job: Callable[..., Job], expected: list[dict[str, Any]], tmp_path: Path, rows: Rows
) -> None:
    def stop(at: Summary) -> None:
        if at.rows == 130:  # within the tar
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job(tmp_path / "out.jsonl", "ray"), report=stop)
    summary = run(job(tmp_path / "out.jsonl", "ray"), resume=True)
    assert summary.resumed == 130
    assert rows(tmp_path / "out.jsonl") == expected
