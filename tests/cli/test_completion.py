"""Completion scripts in bash, zsh and fish."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from imageprocess.cli import main

# Each prints the completions of `imageprocess WORDS`, one per line.
_BASH = """
eval "$(imageprocess completion bash)"
COMP_WORDS=(imageprocess {words}) COMP_CWORD={count}
$(complete -p imageprocess | sed 's/.*-F \\([^ ]*\\).*/\\1/') imageprocess
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
_ZSH = """
autoload -U compinit && compinit -u -D
eval "$(imageprocess completion zsh)"
[[ $_comps[imageprocess] = _imageprocess_completion ]] || exit 1
compadd() {{ print -l -- ${{(P)@[-1]}} }}
_describe() {{ print -l -- ${{(P)3}} }}
words=(imageprocess {words}) CURRENT=$(( {count} + 1 ))
_imageprocess_completion
"""
_FISH = """
imageprocess completion fish | source
complete --do-complete 'imageprocess {words}'
"""
_SCRIPTS = {
    "bash": (["bash", "--norc", "-c"], _BASH),
    "zsh": (["zsh", "-f", "-c"], _ZSH),
    "fish": (["fish", "-N", "-c"], _FISH),
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A PATH with the `imageprocess` of this interpreter."""
    program = tmp_path / "bin" / "imageprocess"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nfrom imageprocess.cli import main\nif __name__ == '__main__':\n    main()\n"
    )
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}


@pytest.mark.parametrize("shell", _SCRIPTS)
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["mod"], ["model"]),
        (["model", "ver"], ["verify"]),
        (["detect", "--mod"], ["--mode", "--model"]),
        (["detect", "--format", "json"], ["json", "jsonl"]),
        (["completion", "f"], ["fish"]),
    ],
)
def test_completion_offers_candidates(
    shell: str, words: list[str], offered: list[str], environment: dict[str, str]
) -> None:
    command, script = _SCRIPTS[shell]
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    text = script.format(words=" ".join(words), count=len(words))
    done = subprocess.run([*command, text], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [line.split("\t")[0].split(":")[0] for line in done.stdout.split("\n") if line] == offered


@pytest.mark.parametrize("arguments", [[], ["tcsh"]])
def test_unsupported_shell_is_rejected(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["completion", *arguments])
    assert result.exit_code == 2 and "bash" in result.stderr
