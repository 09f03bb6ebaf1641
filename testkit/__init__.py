"""Shared by tests and benchmarks: test images, files with metadata, a running service and the load on it."""
