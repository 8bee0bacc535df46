"""Every public function, class and method has an example in its docstring, and the example is true.

What stands there is what the API page shows. It runs in an empty folder, with the built-in sample for data.
"""

import doctest
import inspect
from importlib import import_module

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from course_utils import claims

matplotlib.use("agg")

MODULES = [
    "augment",
    "checkpoint",
    "claims",
    "convolution",
    "data",
    "diagrams",
    "exercises",
    "history",
    "inside",
    "metrics",
    "networks",
    "plots",
    "records",
    "runtime",
    "search",
    "shapes",
    "training",
]
SHOWN = {"__call__"}  # of the methods with underscores


def ours(module):
    """The functions and classes that a module offers, by name: what it defines, or what it names in `__all__`."""
    for name, made in vars(module).items():
        offered = name in getattr(module, "__all__", ()) or getattr(made, "__module__", None) == module.__name__
        if offered and not name.startswith("_") and (inspect.isfunction(made) or inspect.isclass(made)):
            yield name, made


def public(module):
    """The same, with the methods of its classes."""
    for name, made in ours(module):
        yield name, made
        for method, function in vars(made).items() if inspect.isclass(made) else ():
            function = getattr(function, "__func__", function)  # of a class method
            if inspect.isfunction(function) and (method in SHOWN or not method.startswith("_")) and function.__doc__:
                yield f"{name}.{method}", function


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch, capsys):
    module = import_module(f"course_utils.{name}")
    monkeypatch.setenv("COURSE_DATA", "sample")
    monkeypatch.delenv("COURSE_STRICT", raising=False)
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    finder = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    without = []
    for title, made in public(module):
        [example] = finder.find(made, f"course_utils.{name}.{title}", globs=vars(module).copy())
        if not example.examples:
            without.append(title)
        folder = tmp_path / title
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setattr(claims, "_lesson", "06")
        monkeypatch.setattr(claims, "_numbers", {})
        monkeypatch.setattr(claims, "_agreements", {})
        torch.manual_seed(0)
        runner.run(example)
    assert not without, f"without an example: {', '.join(without)}"
    assert not runner.failures, capsys.readouterr().out
