"""Helpers of the tests; those shared with the benchmarks are in testkit."""
