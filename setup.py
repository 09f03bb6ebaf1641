"""What pyproject.toml cannot say: a wheel built where npm is carries private mode's runtime."""

import importlib.util
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithRuntime(build_py):
    def run(self):
        if not self.editable_mode:  # `make web` does it there, and the pages are served as they lie
            self._fetch_runtime()
        super().run()

    def _fetch_runtime(self):
        where = ROOT / "src" / "imageprocess" / "web" / "runtime.py"
        spec = importlib.util.spec_from_file_location("runtime", where)
        runtime = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(runtime)
        if runtime.is_complete():
            return
        problem = runtime.build(ROOT)
        if problem:
            sys.stderr.write(f"{problem}: this installation's pages do without private mode\n")


setup(cmdclass={"build_py": BuildWithRuntime})
