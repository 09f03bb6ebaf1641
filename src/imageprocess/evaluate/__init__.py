"""Measures detectors on the same pictures, degraded as web sites and apps do it."""
