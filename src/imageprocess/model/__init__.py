"""Runs a model on pixels and returns its calibrated evidence."""
