"""`python -m imageprocess`: the command line."""

from .cli import main

main(prog_name="imageprocess")
