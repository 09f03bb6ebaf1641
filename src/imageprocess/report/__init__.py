"""A Result -> what a person or a program reads."""
