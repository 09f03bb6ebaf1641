"""Pixels -> the network's testimony, calibrated."""
