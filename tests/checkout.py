"""Modules of this checkout that tests load from their files."""

import importlib.util

from tools.common import ROOT


def site_extension():
    """The module `book/_ext/course_site.py`, as Sphinx loads it."""
    spec = importlib.util.spec_from_file_location("course_site", ROOT / "book" / "_ext" / "course_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
