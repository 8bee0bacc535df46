"""This checkout's files, copied, and modules that tests load from their files."""

import importlib.util
import shutil

from tools.common import ROOT, project_files


def copy_project(folder):
    """Copy the files of this checkout, uncommitted work included, into a folder, and return it."""
    for path in project_files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    return folder


def site_extension():
    """The module `book/_ext/course_site.py`, as Sphinx loads it."""
    spec = importlib.util.spec_from_file_location("course_site", ROOT / "book" / "_ext" / "course_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
