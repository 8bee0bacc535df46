"""What a lesson's run has used, asked in its own kernel: it is run again when any of that has changed."""

import ast
import hashlib
import os
import sys
from importlib import metadata
from pathlib import Path
from platform import python_version

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "course_utils"


def fingerprint_module(file: Path) -> str:
    """SHA-256 of a Python file's code; comments, docstrings and layout do not count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def fingerprint_file(file: Path) -> str | None:
    """SHA-256 of a file's bytes; None where there is no file."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def find_module(name: str) -> Path | None:
    """The file of a module of ours, such as `course_utils._images.fetch`; None where there is none any more."""
    place = ROOT.joinpath(*name.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def modules() -> list[str]:
    """The modules of the package that this process has loaded; without `course_utils` itself, a table of lazy names."""
    return sorted(name for name in sys.modules if name.startswith("course_utils."))


def used() -> dict:
    """What this process has used so far: modules and files of the package, data, versions, device."""
    from course_utils import _files

    # What setuptools brings along in a folder of its own, and finds only once it is loaded, belongs to its version.
    owners = metadata.packages_distributions()
    loaded = {owner for name in list(sys.modules) if "." not in name for owner in owners.get(name, ())}
    loaded = {name for name in loaded if "_vendor" not in str(metadata.distribution(name).locate_file(""))}
    sources = sys.modules.get("course_utils._images.sources")
    record = {
        "modules": {name: fingerprint_module(file) for name in modules() if (file := find_module(name))},
        "resources": {path: fingerprint_file(PACKAGE / path) for path in sorted(_files.opened)},
        "distributions": {name: metadata.version(name) for name in sorted(loaded)},
        "python": python_version(),
        "course_data": os.environ.get("COURSE_DATA", "auto"),
        "data": dict(sources.loaded) if sources else {},
    }
    if "torch" in sys.modules:
        import torch

        from course_utils._machine import device, machine

        record |= {
            "torch": torch.__version__,
            "device": device(),
            "threads": torch.get_num_threads(),
            "machine": machine(),
            "cpu": torch.backends.cpu.get_cpu_capability(),
        }
    return record
