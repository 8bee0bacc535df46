"""What is printed to people: on any console, and commands that can be pasted."""

import shlex
import subprocess
import sys


def forgive() -> None:
    """From now on, what a console cannot print becomes a question mark there, and no error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's can print everything
            stream.reconfigure(errors="replace")


def command(*arguments: str) -> str:
    """A line that runs `python -m ARGUMENTS` with this Python where it is pasted: a notebook's cell, or a terminal."""
    quoted = subprocess.list2cmdline(arguments) if sys.platform == "win32" else shlex.join(arguments)
    if "ipykernel" in sys.modules:  # a cell; the setup cell has imported sys
        return f"!{{sys.executable}} -m {quoted}"
    python = sys.executable or "python"
    return f'"{python}" -m {quoted}' if " " in python else f"{python} -m {quoted}"
