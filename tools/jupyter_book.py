"""Jupyter Book's own command line, started the quicker way: see `tools/__init__.py`."""

from jupyter_book.cli.main import main

if __name__ == "__main__":
    main()
