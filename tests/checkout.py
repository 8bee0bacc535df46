"""The files of this checkout, for tests."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

from tools.common import ROOT

UNTRACKED = {".git", ".venv", ".run", "_build", "work", "__pycache__", ".ipynb_checkpoints"}


def project_files() -> list[Path]:
    """What git tracks or would track, uncommitted work included; in a downloaded archive, what is there."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not UNTRACKED & {*path.relative_to(ROOT).parts}]


def site_extension():
    """The module `book/_ext/course_site.py`, as Sphinx loads it."""
    spec = importlib.util.spec_from_file_location("course_site", ROOT / "book" / "_ext" / "course_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
