"""`imageprocess completion`: print the script that completes commands, options and file names in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "imageprocess"
_VARIABLE = "_IMAGEPROCESS_COMPLETE"  # the name that click derives from the program's; main() reads it


@click.command(
    epilog='bash: eval "$(imageprocess completion bash)" in ~/.bashrc. zsh: the same with zsh in ~/.zshrc, after '
    "compinit. fish: imageprocess completion fish > ~/.config/fish/completions/imageprocess.fish"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL."""
    script = get_completion_class(shell)
    assert script is not None  # click has all three of the choice above
    click.echo(script(ctx.find_root().command, {}, PROGRAM, _VARIABLE).source())
