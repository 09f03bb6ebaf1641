"""`__all__` of each module: every name exists, and every public name of the module is listed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from types import ModuleType

import pytest

import imageprocess


def _modules_with_all() -> list[str]:
    names = ["imageprocess"]
    for module_info in pkgutil.walk_packages(imageprocess.__path__, "imageprocess."):
        if not module_info.name.endswith("__main__"):
            names.append(module_info.name)
    return names


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"needs an extra: {error}")


@pytest.mark.parametrize("name", _modules_with_all())
def test_all_matches_public_names(name: str) -> None:
    module = _import(name)
    if not hasattr(module, "__all__"):
        return
    listed = list(module.__all__)
    assert len(set(listed)) == len(listed)
    for item in listed:
        assert hasattr(module, item), f"{name}.__all__ lists {item}, which does not exist"
    own = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == name
    }
    assert own <= set(listed), f"{name} has public names missing in __all__"


def test_contract_names_are_public() -> None:
    assert {"detect", "detect_many", "__version__", "ImageProcessError"} <= set(imageprocess.__all__)
    assert re.fullmatch(r"\d+\.\d+\.\d+", imageprocess.__version__)
    assert set(imageprocess.__all__) <= set(dir(imageprocess))


def test_unknown_name_is_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = imageprocess.no_such_thing
