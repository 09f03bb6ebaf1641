"""Trust lists of the tests' own certificate authority, and an image to sign."""

from __future__ import annotations

from pathlib import Path

import pytest

from testkit.pictures import encode, scene


@pytest.fixture(scope="session")
def photo() -> bytes:
    return encode(scene(1), "JPEG")


@pytest.fixture(scope="session")
def trust_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trust list with the test authority."""
    credentials = pytest.importorskip("testkit.credentials", reason="needs the extra [c2pa]")
    path = tmp_path_factory.mktemp("trust") / "list.pem"
    path.write_text(credentials.authority().root_pem)
    return path


@pytest.fixture(scope="session")
def other_trust_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trust list with another authority only."""
    credentials = pytest.importorskip("testkit.credentials", reason="needs the extra [c2pa]")
    path = tmp_path_factory.mktemp("trust") / "list.pem"
    path.write_text(credentials.authority("Somebody Else").root_pem)
    return path
