"""Data sets: manifest of sources, build, import, audit."""
