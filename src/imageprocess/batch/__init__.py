"""Resumable analysis of very many images, one row each, on all cores of this machine or on a Ray cluster."""

from .run import Job, Summary, run

__all__ = ["Job", "Summary", "run"]
