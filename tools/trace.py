"""Runs first in a lesson's kernel when lessons are rehearsed: which of our modules does a lesson load, and which use?

Named by the environment variable PYTHONSTARTUP. When the kernel ends, `$COURSE_TRACE/NN.json` holds both lists. A
module is used when a function of its own has run after its import: here each function begins with one more statement,
which says so.
"""

import ast
import atexit
import importlib.machinery
import json
import os
import sys
from pathlib import Path


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a module of ours from its source, and never from or into the bytecode that other processes use.

    All this runs among the lesson's own names. What it needs later is kept here, where no lesson writes over it.
    """

    say_so = ast.parse("__spec__._initializing or __used__.add(__name__)").body
    used: set[str] = set()

    def get_code(self, fullname):
        tree = ast.parse(self.get_data(self.path))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.body[:0] = self.say_so
        return compile(ast.fix_missing_locations(tree), self.path, "exec")

    def exec_module(self, module):
        module.__used__ = self.used
        super().exec_module(module)


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path) if name.startswith("course_utils.") else None
        if spec and spec.origin:
            spec.loader = Loader(name, spec.origin)
        return spec


def report(folder: Path, used: set[str] = Loader.used) -> None:
    loaded = sorted(name for name in sys.modules if name.startswith("course_utils."))
    lesson = sys.modules["course_utils.claims"]._lesson if loaded else "none"
    (folder / f"{lesson}.json").write_text(json.dumps({"loaded": loaded, "used": sorted(used)}))


if folder := os.environ.get("COURSE_TRACE"):
    sys.meta_path.insert(0, Finder)
    atexit.register(report, Path(folder))
