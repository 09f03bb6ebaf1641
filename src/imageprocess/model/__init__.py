"""Pixels -> the model's calibrated evidence."""
