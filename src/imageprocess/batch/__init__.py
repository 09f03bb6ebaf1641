"""Very many pictures -> one row each: on every core of this machine, or on a Ray cluster; resumable."""

from .run import Job, Summary, run

__all__ = ["Job", "Summary", "run"]
