"""The trust list: location, validation, dates, atomic update."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from imageprocess.cli import main
from imageprocess.detector import Detector
from imageprocess.errors import DataError, UsageError
from imageprocess.provenance.trust import (
    INTERIM_SETTING,
    OFFICIAL_LIST,
    SETTING,
    default_path,
    find_interim_list,
    find_trust_list,
    load_trust_list,
    path_in_use,
    update_trust_list,
)

pytest.importorskip("cryptography", reason="needs the package cryptography")
from testkit.credentials import authority
from testkit.pictures import encode, plain
from testkit.serving import serving_files


@pytest.fixture
def pem() -> bytes:
    """Two authorities with text between them, as in the official list."""
    return f"Subject\tA\n{authority().root_pem}\nSubject\tB\n{authority('Other').root_pem}".encode()


@pytest.fixture
def list_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Path of the trust list, from the setting."""
    path = tmp_path / "data" / "list.pem"
    monkeypatch.setenv(SETTING, str(path))
    return path


@pytest.fixture
def list_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """URL of a web server and the folder that it serves."""
    with serving_files(tmp_path) as address:
        yield address, tmp_path


def test_trust_list_path_from_setting_or_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "/some/list.pem")
    assert default_path() == Path("/some/list.pem")
    monkeypatch.delenv(SETTING)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    for platform, folder in (
        ("linux", Path("/data")),
        ("darwin", Path.home() / "Library" / "Application Support"),
    ):
        monkeypatch.setattr("sys.platform", platform)
        assert default_path() == folder / "imageprocess" / "C2PA-TRUST-LIST.pem"


def test_update_downloads_validates_and_replaces(
    list_server: tuple[str, Path], pem: bytes, list_path: Path
) -> None:
    address, folder = list_server
    (folder / "new.pem").write_bytes(pem)
    fresh = update_trust_list(f"{address}/new.pem", list_path)
    assert [signer.name for signer in fresh.signers] == ["Test Root: Test Root", "Other Root: Other Root"]
    assert fresh.fetched and fresh.source == f"{address}/new.pem"
    assert find_trust_list() == fresh and list(list_path.parent.iterdir()) == [list_path]


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_invalid_trust_list_keeps_old_one(
    content: bytes, list_server: tuple[str, Path], pem: bytes, list_path: Path, tmp_path: Path
) -> None:
    address, folder = list_server
    (folder / "old.pem").write_bytes(pem)
    before = update_trust_list(str(folder / "old.pem"), list_path)
    (folder / "new.pem").write_bytes(content)
    for source in (f"{address}/new.pem", f"{address}/missing.pem", str(folder / "missing.pem")):
        with pytest.raises(DataError):
            update_trust_list(source, list_path)
    assert load_trust_list(list_path) == before and list(list_path.parent.iterdir()) == [list_path]


def test_trust_list_is_not_fetched_over_http(list_path: Path) -> None:
    with pytest.raises(DataError, match="https"):
        update_trust_list("http://example.org/list.pem", list_path)
    assert OFFICIAL_LIST.startswith("https://")


def test_changed_trust_list_is_reloaded(pem: bytes, list_path: Path) -> None:
    list_path.parent.mkdir()
    list_path.write_text(authority().root_pem)
    assert len(find_trust_list().signers) == 1  # type: ignore[union-attr]
    list_path.write_bytes(pem)
    os.utime(list_path, (1, 1))
    assert len(find_trust_list().signers) == 2  # type: ignore[union-attr]
    list_path.write_text("no list any more")
    assert find_trust_list(list_path) is None


def test_configured_trust_list_must_exist(
    pem: bytes, list_path: Path, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, picture = Detector(tiny_model_dir), encode(plain(255), "PNG")
    (tmp_path / "a.png").write_bytes(picture)
    command = ["detect", "--model", str(tiny_model_dir), str(tmp_path / "a.png")]
    for content in (None, b"no list"):
        if content is not None:
            list_path.parent.mkdir()
            list_path.write_bytes(content)
        with pytest.raises(UsageError, match=f"{SETTING} names no trust list .*{list_path}"):
            detector.detect(picture)
        assert detector.detect(picture, only=["model"]).status == "ok"
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 2 and SETTING in result.stderr
    list_path.write_bytes(pem)
    assert detector.detect(picture).status == "ok"
    monkeypatch.delenv(SETTING)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "none"))
    assert find_trust_list() is None and detector.detect(picture).status == "ok"


@pytest.mark.parametrize("address", ["https://[::1", "https://a b/", "a\0b"])
def test_invalid_url_is_reported(address: str, list_path: Path) -> None:
    result = CliRunner().invoke(main, ["trust", "update", "--from", address])
    assert result.exit_code == 1 and "cannot be fetched" in result.stderr


def test_unwritable_trust_list_error_names_path(
    pem: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new.pem").write_bytes(pem)
    monkeypatch.setenv(SETTING, str(tmp_path / "new.pem" / "below" / "x.pem"))
    result = CliRunner().invoke(main, ["trust", "update", "--from", str(tmp_path / "new.pem")])
    assert result.exit_code == 2 and f"{tmp_path}/new.pem/below: Not a directory" in result.stderr


def test_trust_command_updates_and_shows(list_server: tuple[str, Path], pem: bytes, list_path: Path) -> None:
    address, folder = list_server
    run = CliRunner().invoke
    assert run(main, ["trust", "info"]).exit_code == 1
    (folder / "new.pem").write_bytes(pem)
    done = run(main, ["trust", "update", "--from", f"{address}/new.pem"])
    assert done.exit_code == 0 and "2 certificates" in done.output
    result = run(main, ["trust", "info"])
    assert result.exit_code == 0 and "Other Root" in result.output and str(list_path) in result.output
    failed = run(main, ["trust", "update", "--from", f"{address}/missing.pem"])
    assert failed.exit_code == 1 and "cannot be fetched" in failed.output
    assert run(main, ["trust", "info"]).output == result.output


def test_interim_list_is_stored_and_shown_separately(
    pem: bytes, tmp_path: Path, list_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(INTERIM_SETTING, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "list.pem").write_bytes(pem)
    run = CliRunner().invoke
    update = ["trust", "update", "--from", str(tmp_path / "list.pem")]
    assert run(main, update).exit_code == 0 and find_interim_list() is None
    assert run(main, [*update, "--interim"]).exit_code == 0
    path = find_interim_list()
    assert path is not None and path.is_interim and path.path != list_path
    assert "(legacy)" in run(main, ["trust", "info"]).output
    monkeypatch.setenv(INTERIM_SETTING, str(tmp_path / "absent.pem"))
    with pytest.raises(UsageError, match=INTERIM_SETTING):
        find_interim_list()


def test_official_trust_list_is_parsed(shared_dir: Path) -> None:
    signers = load_trust_list(shared_dir / "fixtures" / "trust" / "C2PA-TRUST-LIST.pem").signers
    assert len(signers) == 30 and any("Google" in signer.name for signer in signers)


def test_packaged_trust_list_is_the_fallback(
    pem: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    bundled = tmp_path / "bundled.pem"
    monkeypatch.setattr("imageprocess.provenance.trust.BUNDLED", bundled)
    assert find_trust_list() is None and path_in_use() == default_path()
    (tmp_path / "fresh.pem").write_bytes(pem)
    update = ["trust", "update", "--from", str(tmp_path / "fresh.pem")]
    assert CliRunner().invoke(main, [*update, "--to", str(bundled)]).exit_code == 0
    trust_list = find_trust_list()
    assert trust_list is not None and trust_list.path == bundled and trust_list.fetched
    assert str(bundled) in CliRunner().invoke(main, ["trust", "info"]).output
    assert CliRunner().invoke(main, update).exit_code == 0
    trust_list = find_trust_list()
    assert trust_list is not None and trust_list.path == default_path()
    monkeypatch.setenv(SETTING, str(tmp_path / "absent.pem"))
    with pytest.raises(UsageError):  # an explicit path must exist
        find_trust_list()


def test_official_trust_list_has_attribution(
    pem: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imageprocess.provenance.trust._fetch", lambda source: pem)
    fresh = update_trust_list(OFFICIAL_LIST, tmp_path / "list.pem")
    assert "CC BY 4.0" in fresh.pem and len(fresh.signers) == 2 and fresh.source == OFFICIAL_LIST
