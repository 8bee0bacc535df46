"""The course's own piece of Sphinx: launch links at the released tag, edit links to the manuscript, local MathJax.

The repository's address comes from `_config.yml`, the tag from `course_utils.__version__`. Both are looked up when they
are needed, so that a build without executed lessons ends with the message below and not with an import error.
"""

import importlib.util
import os
import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError, PycodeError
from sphinx.ext import autodoc
from sphinx.ext.autodoc.mock import _MockObject
from sphinx.pycode import ModuleAnalyzer

GENERATED = {"book/claims"}  # pages without a source that a reader could edit


def require_executed_lessons(app):
    if not (Path(app.srcdir) / "executed.json").exists():
        raise ExtensionError("The lessons have not been executed here: run `make book`")


def launch_links(repository, lesson):
    """(name, address, icon) of each place that opens the lesson. UNTESTED: no network where this was written.

    Colab's and Binder's addresses follow their documentation. Cloud Studio's is taken from one old README, is not
    documented, and can name neither a tag nor a file: it opens the default branch. Try it by hand before relying on it.
    """
    from course_utils import __version__

    owner_name, path = repository.removeprefix("https://github.com/"), f"notebooks/{lesson}.ipynb"
    return [
        ("Colab", f"https://colab.research.google.com/github/{owner_name}/blob/v{__version__}/{path}",
         "_static/images/logo_colab.png"),
        ("Binder", f"https://mybinder.org/v2/gh/{owner_name}/v{__version__}?urlpath=lab/tree/{path}",
         "_static/images/logo_binder.svg"),
        ("Cloud Studio", f"https://cloudstudio.net/#{repository}.git", "fas fa-cloud"),
    ]


def add_launch_links(context, links, download):
    """The links twice: as a menu in the header, which stays in sight, and as a line below the title, which is seen."""
    buttons = [
        {"type": "link", "text": text, "tooltip": f"Open in {text}", "url": url, "icon": icon}
        for text, url, icon in links
    ]
    menu = {"type": "group", "label": "launch-buttons", "tooltip": "Open this lesson", "icon": "fas fa-rocket"}
    context["header_buttons"].insert(0, menu | {"buttons": buttons})
    line = "".join(f'<a href="{url}">{text}</a> ' for text, url, _ in links)
    line += f'<a href="{download}" download>Download .ipynb</a>'
    bar = f'<nav class="launch" aria-label="Open this lesson">{line}</nav>'
    context["body"] = context["body"].replace("</h1>", f"</h1>{bar}", 1)


def mend_edit_button(context, pagename):
    """A lesson is edited in its manuscript; a generated page not at all."""
    for group in context.get("header_buttons", []):
        if group.get("label") == "source-buttons":
            [edit] = [b for b in group["buttons"] if b["label"] == "source-edit-button"] or [{"url": ""}]
            edit["url"] = re.sub(r"notebooks/(\w+)\.ipynb$", r"book/\1.py", edit["url"])
            if pagename in GENERATED:
                group["buttons"].remove(edit)


def dress_page(app, pagename, templatename, context, doctree):
    """Runs after the theme has made its header buttons (501)."""
    mend_edit_button(context, pagename)
    body = context.get("body", "")
    body = body.replace('role="doc-biblioentry"', 'role="listitem"')  # ARIA has given up the former
    context["body"] = body.replace(' aria-label="Toggle hidden content"', "")  # what one sees is the better name
    if pagename.startswith("notebooks/"):
        lesson = pagename.removeprefix("notebooks/")
        links = launch_links(app.config.html_theme_options["repository_url"], lesson)
        add_launch_links(context, links, context["pathto"](f"_sources/notebooks/{lesson}.ipynb", 1))


BOXES = {"Predict": "predict", "Find the bug": "find-the-bug"}


def name_boxes(app, doctree):
    """Quotations and exercises get a class each, so that each kind of box has a look of its own."""
    for quote in doctree.findall(nodes.block_quote):
        text = quote.astext()
        quote["classes"].append(next((box for start, box in BOXES.items() if text.startswith(start)), "note"))
    for section in doctree.findall(nodes.section):
        if section[0].astext().startswith("Exercise "):
            section["classes"].append("exercise")


def build_in_parallel(app, config):
    """Read and write pages in several processes. Two extensions do not say whether they can; they keep nothing of a
    page that another page would need."""
    app.parallel = 1 + 2 * (os.cpu_count() or 1)  # one hands out the work; small portions keep the others busy
    for name in ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"):
        app.extensions[name].parallel_read_safe = True


def silence_thebe(app, config):
    """Jupyter Book always loads Thebe; its inline script comes twice and is an error on every page."""
    for event in ("env-before-read-docs", "doctree-resolved"):
        listeners = app.events.listeners[event]
        listeners[:] = [listener for listener in listeners if listener.handler.__module__ != "sphinx_thebe"]


def read_our_modules_only(app, config):
    """For the page API, autodoc imports and parses our package, and not torch, of which it shows nothing.

    Stand-ins take the place of such packages (`autodoc_mock_imports`). They must do in types such as `Tensor | None`,
    and must not lend their own signature to a class of ours that is derived from one.
    """
    _MockObject.__or__ = _MockObject.__ror__ = lambda self, other: self
    autodoc._CLASS_NEW_BLACKLIST.append(f"{_MockObject.__module__}.{_MockObject.__new__.__qualname__}")
    for_any_module = ModuleAnalyzer.for_module

    def for_ours(name):
        if not name.startswith("course_utils"):
            raise PycodeError(f"{name} is not ours")
        return for_any_module(name)

    ModuleAnalyzer.for_module = for_ours


def backticks_are_code(app, what, name, obj, options, lines):
    """Docstrings use single backticks, as Markdown does; reStructuredText wants two."""
    lines[:] = [re.sub(r"(?<![:`\w])`([^`]+)`(?!`)", r"``\1``", line) for line in lines]


def add_mathjax(app, exception):
    """Bring the part of MathJax that the pages use: 2 of the package's 24 megabytes."""
    if exception or app.builder.name != "html":
        return
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
    mathjax = Path(app.outdir) / "_static/mathjax"
    shutil.copytree(package / "output/chtml/fonts", mathjax / "output/chtml/fonts", dirs_exist_ok=True)
    shutil.copy(package / "tex-chtml-full.js", mathjax)


def setup(app):
    app.connect("config-inited", build_in_parallel)
    app.connect("config-inited", read_our_modules_only)
    app.connect("config-inited", silence_thebe)
    app.connect("builder-inited", require_executed_lessons, priority=1)
    app.connect("doctree-read", name_boxes)
    app.connect("html-page-context", dress_page, priority=900)
    app.connect("autodoc-process-docstring", backticks_are_code)
    app.connect("build-finished", add_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
