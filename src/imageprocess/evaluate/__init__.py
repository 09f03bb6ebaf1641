"""Measures detectors on the same images, original and degraded as websites and apps do."""
