"""The key file: hashes by name, reloaded on change, errors that do not quote its content."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from imageprocess.errors import UsageError
from imageprocess.serve.keys import KeyRing, new_key, parse_keys
from testkit.keyfiles import line


def write(file: Path, text: str) -> None:
    """Replace the file, as editors do."""
    beside = file.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)


def test_key_matches_stored_hash(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    write(file, "# ours\n\n" + line("desk", "k1") + line("lab", "k2").replace(" ", "\t  ") + "  # end\n")
    ring = KeyRing(None, file)
    assert ring.is_required
    assert [ring.name_of(key) for key in (b"k1", b"k2", b"k3", b"")] == ["desk", "lab", None, None]


def test_keys_from_environment_and_file_are_accepted(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    write(file, line("desk", "k1"))
    ring = KeyRing(SecretStr("ключ"), file)
    assert [ring.name_of(key) for key in ("ключ".encode(), b"k1", b"k2")] == ["API_KEY", "desk", None]


def test_no_keys_configured_means_open_access() -> None:
    assert not KeyRing(None, None).is_required


def test_empty_key_file_rejects_every_key(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    write(file, "")
    ring = KeyRing(None, file)
    assert ring.is_required and ring.name_of(b"") is None


def test_key_file_is_reloaded_without_restart(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    write(file, line("desk", "old"))
    ring = KeyRing(None, file)
    write(file, line("desk", "new"))
    assert [ring.name_of(key) for key in (b"old", b"new")] == [None, "desk"]


def test_invalid_key_file_keeps_previous_keys(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "keys"
    write(file, line("desk", "k1"))
    ring = KeyRing(None, file)
    write(file, "desk secret-by-mistake\n")
    assert ring.name_of(b"k1") == "desk"
    file.unlink()
    assert ring.name_of(b"k1") == "desk"
    expected = "keys file invalid or unreadable; the previous keys stay in use"
    assert [record.getMessage() for record in caplog.records] == [expected] * 2
    assert "secret-by-mistake" not in str([vars(record) for record in caplog.records])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("desk\n", "line 1 is not a name"),
        ("\n\ndesk " + "0" * 63 + "\n", "line 3 is not a name"),
        ("two words " + "0" * 64 + "\n", "line 1 is not a name"),
        (line("a", "k") * 2, "line 2 repeats the name a"),
        (line("API_KEY", "k"), "line 1 repeats the name API_KEY"),
    ],
)
def test_key_file_error_names_problem(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_keys(text.encode(), "keys")


@given(st.binary(max_size=400))
def test_arbitrary_key_file_is_parsed_or_rejected(raw: bytes) -> None:
    try:
        keys = parse_keys(raw, "keys")
    except UsageError as error:
        assert str(error).startswith("keys: line ")
    else:
        assert all(len(hashed) == 32 for hashed in keys.values())


def test_missing_key_file_fails_at_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        KeyRing(None, tmp_path / "nowhere")


def test_thousand_keys_are_fast(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    write(file, "".join(line(f"user{i}", f"key{i}") for i in range(1000)))
    ring = KeyRing(None, file)
    began = time.process_time()
    assert [ring.name_of(f"key{i}".encode()) for i in (0, 999, 1000)] == ["user0", "user999", None]
    assert (time.process_time() - began) / 3 < 0.01


def test_key_command_generates_file_lines(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "imageprocess", "serve", "--new-key", "desk"]
    made = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    write(tmp_path / "keys", made.stdout)
    key = made.stderr.strip()
    assert len(key) >= 40 and key not in made.stdout
    assert KeyRing(None, tmp_path / "keys").name_of(key.encode()) == "desk"
    with pytest.raises(UsageError):
        new_key("no spaces")
