"""Where a lesson runs: what it needs, and one line that says what it runs on."""

import importlib.metadata
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from . import __version__, _order, claims
from ._arguments import one_of
from ._files import PACKAGE, resource
from ._machine import device, machine

__all__ = ["device", "machine", "setup"]


def setup(lesson: str) -> None:
    """Make everything ready that one lesson needs, and print one line that says what it runs on.

    Installs what `needs/LESSON.toml` names and this environment lacks (never torch or torchvision), and starts the
    numbering of the lesson's claims. From then on, a cell that misses a name is told which cell makes it.

    Args:
        lesson: the lesson's file name without its ending, such as `"06_lenet"`.

    Raises:
        TypeError, ValueError: there is no such lesson.
        RuntimeError: a needed package could not be installed; the message holds a line to paste.

    Example:
        >>> setup("06_lenet")
        course_utils ...
    """
    one_of("lesson", lesson, sorted(file.stem for file in (PACKAGE / "needs").glob("*.toml")))
    needs = tomllib.loads(resource(f"needs/{lesson}.toml").read_text(encoding="utf-8"))
    if missing := _missing(needs["packages"]):
        _install(missing)

    claims.begin(lesson)
    _order.watch(lesson)
    if needs["data"]:
        from ._images import sources  # a lesson without images loads nothing of them
    copies = "".join(f" · {name}: {sources.describe(name)}" for name in needs["data"])
    print(f"course_utils {__version__} ({_origin()}) · {machine()}{copies}")
    if needs.get("gpu_helps") and device() == "cpu" and "google.colab" in sys.modules:
        print("Colab lends a GPU: Runtime → Change runtime type → T4 GPU, then run the lesson again.")


def _missing(requirements: list[str]) -> list[str]:
    """Those of `requirements` (such as `"seaborn>=0.13"`) that are not installed, or not in the asked version."""
    from packaging.requirements import Requirement

    def satisfied(requirement: Requirement) -> bool:
        try:
            return requirement.specifier.contains(importlib.metadata.version(requirement.name), prereleases=True)
        except importlib.metadata.PackageNotFoundError:
            return False

    return [text for text in requirements if not satisfied(Requirement(text))]


def _install(requirements: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", *requirements]
    print("Installing", ", ".join(requirements))
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        from ._console import command as to_paste

        raise RuntimeError(
            f"This lesson needs {', '.join(requirements)}, and installing failed. Where there is a network, run\n"
            f"    {to_paste('pip', 'install', *requirements)}\nand where there is no pip, before it\n"
            f"    {to_paste('ensurepip')}\n{done.stderr.strip()[-500:]}"
        )


def _origin() -> str:
    """Where this package came from: `"clone"`, `"archive"` (fetched by a lesson's first cell) or `"installed"`."""
    if not (PACKAGE.parent / "pyproject.toml").exists():
        return "installed"
    fetched = Path(os.path.expanduser(os.environ.get("COURSE_HOME") or "~/.cache/kernel-by-kernel")).resolve()
    return "archive" if fetched in PACKAGE.resolve().parents else "clone"
