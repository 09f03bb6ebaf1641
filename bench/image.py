"""The Dockerfile without Docker: its steps in order in a bare Debian, then its service as its user on a read-only root.

    sudo python -m bench.image [--mirror URL] [--give FILE ...] [--keep DIR]

Needs root (chroot, mount) and debootstrap. `--mirror`: a Debian mirror instead of debootstrap's own choice; `--give`:
files that this machine's network needs in the root (certificates, pip's settings), taken out before anything is
measured. Says what it found, and what a chroot cannot show: layers, Docker's seccomp and capabilities, its network.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import reliability_table

ROOT = Path(__file__).resolve().parents[1]
BASE = "debian:trixie-slim"
LIMIT_MB = 400
# What debian:*-slim leaves out of debootstrap's minbase (debuerreotype's .slimify-excludes).
SLIM = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "var/cache/apt",
    "var/lib/apt/lists",
]


_CHROOT = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin") or "chroot"


@dataclass
class Stage:
    """One FROM, and the root that its steps are run in."""

    root: Path
    workdir: str = "/"
    user: str = "root"
    env: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
    )
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mirror", help="a Debian mirror")
    parser.add_argument("--give", action="append", default=[], type=Path, help="a file to lend to the root")
    parser.add_argument("--keep", type=Path, help="leave the roots here")
    parser.add_argument("--again", action="store_true", help="only try what --keep left, build nothing")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        base = folder / "base"
        if not base.is_dir():
            _debootstrap(base, asked.mirror)
        final = build(base, folder, asked.give, is_built=asked.again)
        sizes = {
            "limit_mb": LIMIT_MB,
            "base_mb": _megabytes(base),
            "image_mb": _megabytes(final.root),
        }
        found = {**sizes, **try_it(final)}
    reliability_table.IMAGE.parent.mkdir(parents=True, exist_ok=True)
    reliability_table.IMAGE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(reliability_table.IMAGE.read_text("utf-8"))
    reliability_table.write()


def _debootstrap(base: Path, mirror: str | None) -> None:
    suite = BASE.partition(":")[2].removesuffix("-slim")
    command = ["debootstrap", "--variant=minbase", suite, str(base), *([mirror] if mirror else [])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (base / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text(
        "force-unsafe-io\n", encoding="ascii"
    )  # as Docker's images
    for left_out in SLIM:
        shutil.rmtree(base / left_out, ignore_errors=True)
        (base / left_out).mkdir(parents=True, exist_ok=True)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Dockerfile -> (instruction, the rest), comments out, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), rest.strip()


def build(base: Path, folder: Path, lent: list[Path], *, is_built: bool) -> Stage:
    """Every step, or where all `is_built` what they say alone. -> the last stage."""
    stages: dict[str, Stage] = {}
    stage = Stage(folder / "none")
    for name, rest in instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        print(f"{name} {rest}"[:110], flush=True)
        if name == "FROM":
            image, _, alias = rest.partition(" AS ")
            if image != BASE:
                raise SystemExit(f"{image}: only {BASE} can be made here")
            stage = stages[alias or "final"] = Stage(folder / (alias or "final"))
            if not is_built:
                shutil.rmtree(stage.root, ignore_errors=True)
                subprocess.run(["cp", "-a", str(base), str(stage.root)], check=True)
        elif name in ("RUN", "COPY"):
            if not is_built:
                _run(stage, rest, lent) if name == "RUN" else _copy(stage, rest, stages)
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
            raise SystemExit(f"{name}: not known here")
    return stage


def _run(stage: Stage, command: str, lent: list[Path]) -> None:
    with _lending(stage.root, lent), _mounted(stage.root):
        passed = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "NODE_EXTRA"))}
        command = f"cd {stage.workdir} && {command}"
        subprocess.run(
            [_CHROOT, str(stage.root), "sh", "-c", command],
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
        goal = stage.root / stage.workdir.strip("/") / path
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, goal)


def _is_sent(path: str, rules: list[str]) -> bool:
    """.dockerignore: the last rule that fits the path or a folder above it counts."""
    sent, above = True, [path, *(str(folder) for folder in Path(path).parents)]
    for rule in rules:
        pattern = rule.lstrip("!").replace("**/", "*")
        if any(fnmatch.fnmatch(each, pattern) for each in above):
            sent = rule.startswith("!")
    return sent


@contextmanager
def _lending(root: Path, lent: list[Path]) -> Iterator[None]:
    """This machine's files at the same place in the root, for a while; what was there comes back."""
    kept: dict[Path, bytes | None] = {}
    for path in (Path("/etc/resolv.conf"), Path("/etc/hosts"), *lent):
        goal = root / str(path).lstrip("/")
        kept[goal] = goal.read_bytes() if goal.is_file() else None
        goal.parent.mkdir(parents=True, exist_ok=True)
        goal.unlink(missing_ok=True)
        goal.write_bytes(path.read_bytes())
    try:
        yield
    finally:
        for goal, content in kept.items():
            goal.unlink(missing_ok=True)
            if content is not None:
                goal.write_bytes(content)


@contextmanager
def _mounted(root: Path) -> Iterator[None]:
    """/proc and the few devices that Docker gives; /dev/shm is the only place to write, as with `read_only`."""
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


# The service


def try_it(stage: Stage) -> dict[str, Any]:
    """On a root that is mounted read-only, as the Dockerfile's user, without capabilities."""
    with tempfile.TemporaryDirectory() as folder, _lending(stage.root, []):
        subprocess.run(["mount", "--bind", str(stage.root), folder], check=True)
        try:
            with _mounted(Path(folder)):
                subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
                return _serve(stage, folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def _inside(stage: Stage, root: str, command: list[str]) -> list[str]:
    drop = ["setpriv", "--bounding-set=-all", "--no-new-privs", f"--reuid={stage.user}", "--clear-groups"]
    return [_CHROOT, root, *drop, *command]


def _serve(stage: Stage, root: str) -> dict[str, Any]:
    env = stage.env | {"HOST": "127.0.0.1", "PORT": "8399"}
    address = "http://127.0.0.1:8399"
    began = time.perf_counter()
    process = subprocess.Popen(
        _inside(stage, root, stage.command), env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        while not _answers(f"{address}/readyz"):
            if process.poll() is not None or time.perf_counter() - began > 60:
                raise SystemExit(f"the service did not start: {process.communicate()[1]}")
            time.sleep(0.02)
        ready = time.perf_counter() - began
        with urllib.request.urlopen(f"{address}/v1/model") as answer:
            model = json.load(answer)["name"]
        status = Path(f"/proc/{process.pid}/status").read_text()
        write = _inside(stage, root, ["sh", "-c", "echo a > /opt/a || echo a > /tmp/a || echo a > /var/a"])
        return {
            "start_to_ready_s": round(ready, 2),
            "model": model,
            "verdict": _detect(address),
            "uid": int(status.split("Uid:")[1].split()[0]),
            "capabilities": status.split("CapBnd:")[1].split()[0],
            "health_check": subprocess.run(_inside(stage, root, stage.health), env=env).returncode == 0,
            "root_is_read_only": subprocess.run(write, env=env, stderr=subprocess.DEVNULL).returncode != 0,
            "ends_on_sigterm": _ends(process),
        }
    finally:
        process.kill()
        process.communicate()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _detect(address: str) -> str:
    body = json.dumps({"image_base64": _PIXEL}).encode()
    request = urllib.request.Request(
        f"{address}/v1/detect/base64", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        label: str = json.load(answer)["verdict"]["label"]
        return label


def _ends(process: subprocess.Popen[str]) -> bool:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    return process.returncode in (0, -signal.SIGTERM)


def _megabytes(root: Path) -> float:
    """Of the files, each once, /proc and /dev apart: they are mounts."""
    told = subprocess.run(
        ["du", "-sxb", "--exclude=./proc", "--exclude=./dev", "."],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return round(int(told.stdout.split()[0]) / 1e6, 1)


_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="

if __name__ == "__main__":
    main()
