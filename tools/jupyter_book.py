"""Jupyter Book's own command line, started ahead of time: its arguments come line by line on the standard input, and
meanwhile it loads what every build needs."""

import sys
from importlib import import_module

from jupyter_book.cli.main import main

AHEAD = ("jupyter_book.sphinx", "myst_nb.sphinx_ext", "sphinx.builders.html", "sphinx_book_theme", "sphinx.ext.autodoc")

if __name__ == "__main__":
    for module in AHEAD:
        import_module(module)
    main(args=sys.stdin.read().splitlines())
