"""The steps of a Dockerfile, run in a chroot: FROM, RUN, COPY, WORKDIR, ENV, USER, CMD and HEALTHCHECK."""

from __future__ import annotations

import fnmatch
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


BASE = "debian:trixie-slim"


# What debian:*-slim leaves out of debootstrap's minbase (debuerreotype's .slimify-excludes).
SLIM = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "var/cache/apt",
    "var/lib/apt/lists",
]


CHROOT = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin") or "chroot"


@dataclass
class Stage:
    """One FROM instruction and the root folder in which its steps run."""

    root: Path
    workdir: str = "/"
    user: str = "root"
    env: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
    )
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def debootstrap(base: Path, mirror: str | None) -> None:
    suite = BASE.partition(":")[2].removesuffix("-slim")
    command = ["debootstrap", "--variant=minbase", suite, str(base), *([mirror] if mirror else [])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (base / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text(
        "force-unsafe-io\n", encoding="ascii"
    )  # as in Docker's images
    for left_out in SLIM:
        shutil.rmtree(base / left_out, ignore_errors=True)
        (base / left_out).mkdir(parents=True, exist_ok=True)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """(instruction, arguments) of a Dockerfile, without comments, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), rest.strip()


def build(base: Path, folder: Path, host_files: list[Path], *, is_built: bool) -> Stage:
    """Run every step and return the last stage. With `is_built` the roots exist: only read the settings."""
    stages: dict[str, Stage] = {}
    stage = Stage(folder / "none")
    for name, rest in instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        print(f"{name} {rest}"[:110], flush=True)
        if name == "FROM":
            image, _, alias = rest.partition(" AS ")
            if image != BASE:
                raise SystemExit(f"{image}: only the base image {BASE} is supported")
            stage = stages[alias or "final"] = Stage(folder / (alias or "final"))
            if not is_built:
                shutil.rmtree(stage.root, ignore_errors=True)
                subprocess.run(["cp", "-a", str(base), str(stage.root)], check=True)
        elif name in ("RUN", "COPY"):
            if not is_built:
                _run(stage, rest, host_files) if name == "RUN" else _copy(stage, rest, stages)
        elif name == "WORKDIR":
            stage.workdir = rest
            (stage.root / rest.strip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "ENV":
            stage.env |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif name == "USER":
            stage.user = rest
        elif name == "CMD":
            stage.command = json.loads(rest)
        elif name == "HEALTHCHECK":
            stage.health = json.loads(rest.partition("CMD ")[2])
        elif name != "EXPOSE":
            raise SystemExit(f"{name}: unsupported Dockerfile instruction")
    return stage


def _run(stage: Stage, command: str, host_files: list[Path]) -> None:
    with lending(stage.root, host_files), mounted(stage.root):
        passed = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "NODE_EXTRA"))}
        command = f"cd {stage.workdir} && {command}"
        subprocess.run(
            [CHROOT, str(stage.root), "sh", "-c", command],
            env=stage.env | passed,
            check=True,
            stdout=subprocess.DEVNULL,
        )


def _copy(stage: Stage, rest: str, stages: dict[str, Stage]) -> None:
    source, target = [part for part in rest.split() if not part.startswith("--")]
    if rest.startswith("--from="):
        other = stages[rest.split()[0].removeprefix("--from=")]
        subprocess.run(
            ["cp", "-a", str(other.root / source.strip("/")), str(stage.root / target.strip("/"))], check=True
        )
        return
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for path in filter(lambda path: _is_sent(path, rules), listed.stdout.splitlines()):
        target = stage.root / stage.workdir.strip("/") / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)


def _is_sent(path: str, rules: list[str]) -> bool:
    """.dockerignore: the last rule that matches the path or a parent folder applies."""
    sent, above = True, [path, *(str(folder) for folder in Path(path).parents)]
    for rule in rules:
        pattern = rule.lstrip("!").replace("**/", "*")
        if any(fnmatch.fnmatch(each, pattern) for each in above):
            sent = rule.startswith("!")
    return sent


@contextmanager
def lending(root: Path, host_files: list[Path]) -> Iterator[None]:
    """Copy this machine's files to the same place in the root; restore what was there at the end."""
    originals: dict[Path, bytes | None] = {}
    for path in (Path("/etc/resolv.conf"), Path("/etc/hosts"), *host_files):
        target = root / str(path).lstrip("/")
        originals[target] = target.read_bytes() if target.is_file() else None
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(path.read_bytes())
    try:
        yield
    finally:
        for target, content in originals.items():
            target.unlink(missing_ok=True)
            if content is not None:
                target.write_bytes(content)


@contextmanager
def mounted(root: Path) -> Iterator[None]:
    """/proc and the devices that Docker provides; only /dev/shm is writable, as with `read_only`."""
    dev = root / "dev"
    mounts = [
        ["-t", "proc", "proc", str(root / "proc")],
        ["-t", "tmpfs", "-o", "mode=755", "tmpfs", str(dev)],
    ]
    for mount in mounts:
        subprocess.run(["mount", *mount], check=True)
    try:
        (dev / "shm").mkdir(mode=0o1777)
        (dev / "shm").chmod(0o1777)
        for device in ("null", "zero", "urandom", "random"):
            subprocess.run(["cp", "-a", f"/dev/{device}", str(dev / device)], check=True)
        yield
    finally:
        for mount in reversed(mounts):
            subprocess.run(["umount", "-l", mount[-1]], check=True)
