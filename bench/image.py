"""The Dockerfile without Docker: its steps in a bare Debian, then its service as its user on a read-only root.

    sudo python -m bench.image [--mirror URL] [--give FILE ...] [--keep DIR]

Needs root (chroot, mount) and debootstrap. `--mirror`: a Debian mirror instead of debootstrap's default; `--give`:
files of this machine that the build needs (certificates, pip settings), removed before measuring. A chroot does not
cover layers, Docker's seccomp and capabilities, or its network.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from bench import reliability_table
from bench.dockerfile import CHROOT, Stage, build, debootstrap, lending, mounted
from testkit.waiting import wait_until

LIMIT_MB = 400


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mirror", help="URL of a Debian mirror (default: chosen by debootstrap)")
    parser.add_argument(
        "--give",
        action="append",
        default=[],
        type=Path,
        help="a file of this machine to use in the root during the build",
    )
    parser.add_argument("--keep", type=Path, help="keep the roots in this folder")
    parser.add_argument(
        "--again",
        action="store_true",
        help="run the service on the roots of an earlier --keep; build nothing",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        base = folder / "base"
        if not base.is_dir():
            debootstrap(base, arguments.mirror)
        final = build(base, folder, arguments.give, is_built=arguments.again)
        sizes = {
            "limit_mb": LIMIT_MB,
            "base_mb": _megabytes(base),
            "image_mb": _megabytes(final.root),
        }
        results = {**sizes, **try_it(final)}
    reliability_table.IMAGE.parent.mkdir(parents=True, exist_ok=True)
    reliability_table.IMAGE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(reliability_table.IMAGE.read_text("utf-8"))
    reliability_table.write()


# The service


def try_it(stage: Stage) -> dict[str, Any]:
    """Run the service as the Dockerfile's user on a read-only root, without capabilities."""
    with tempfile.TemporaryDirectory() as folder, lending(stage.root, []):
        subprocess.run(["mount", "--bind", str(stage.root), folder], check=True)
        try:
            with mounted(Path(folder)):
                subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
                return _serve(stage, folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def _inside(stage: Stage, root: str, command: list[str]) -> list[str]:
    drop = ["setpriv", "--bounding-set=-all", "--no-new-privs", f"--reuid={stage.user}", "--clear-groups"]
    return [CHROOT, root, *drop, *command]


def _serve(stage: Stage, root: str) -> dict[str, Any]:
    env = stage.env | {"HOST": "127.0.0.1", "PORT": "8399"}
    address = "http://127.0.0.1:8399"
    began = time.perf_counter()
    process = subprocess.Popen(
        _inside(stage, root, stage.command), env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: _answers(f"{address}/readyz") or process.poll() is not None, interval_s=0.02)
        if process.poll() is not None:
            raise SystemExit(f"the service did not start: {process.communicate()[1]}")
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
    """Size of the files, hard links once, without the mounts /proc and /dev."""
    usage = subprocess.run(
        ["du", "-sxb", "--exclude=./proc", "--exclude=./dev", "."],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return round(int(usage.stdout.split()[0]) / 1e6, 1)


_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="

if __name__ == "__main__":
    main()
