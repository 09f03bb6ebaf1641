"""A small network that learns from an encoder model."""
