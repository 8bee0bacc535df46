"""Jupyter Book's own command line, started the quicker way: see the first lines of `tools/common.py`."""

from jupyter_book.cli.main import main

import tools.common  # noqa: F401

if __name__ == "__main__":
    main()
