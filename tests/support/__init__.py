"""Helpers of the tests alone; what the benchmarks use too is in testkit."""
