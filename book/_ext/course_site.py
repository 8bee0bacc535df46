"""The course's own piece of Sphinx: what each page carries besides what Jupyter Book and its theme make of it.

The repository's address comes from `_config.yml`, the tag from `course_utils.__version__`. Both are looked up when they
are needed, so that a build without executed lessons ends with the message below and not with an import error. Beside
this file: `cross_links` (links nobody has to write), `pictures`, `cards` (of lessons), `search_index`.
"""

import html
import importlib.util
import json
import os
import re
import shutil
import sys
import urllib.parse
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError, PycodeError
from sphinx.ext import autodoc
from sphinx.ext.autodoc.mock import _MockObject
from sphinx.pycode import ModuleAnalyzer

sys.path.insert(0, str(Path(__file__).parent))

import cards
import cross_links
import pictures
import search_index

GENERATED = {"book/claims", "404"}  # pages without a source that a reader could edit
COVER = "book/index"
SCRIPTS = {
    "documentation_options.js", "doctools.js", "clipboard.min.js", "copybutton.js", "sphinx-book-theme.js", "course.js"
}
STYLES_LEFT_OUT = {"togglebutton.css", "sphinx-thebe.css", "sphinx-design.min.css"}  # of extensions that no page uses


def require_executed_lessons(app):
    if not (Path(app.srcdir) / "executed.json").exists():
        raise ExtensionError("The lessons have not been executed here: run `make book`")


# The page's head: title, description, address, scripts


def base_address(repository):
    """Where the site will stand, with a slash at its end: BASE_URL, or GitHub Pages' place for the repository, or ""."""
    given = os.environ.get("BASE_URL")
    if given is not None:
        return f"{given.rstrip('/')}/" if given else ""
    found = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+?)/?", repository or "")
    if not found:
        return ""
    owner, name = found[1].lower(), found[2]
    return f"https://{owner}.github.io/" + ("" if name.lower() == f"{owner}.github.io" else f"{name}/")


def repository_of(config):
    return config.html_theme_options.get("repository_url", "")


def name_of(config):
    """What the course is called."""
    return config.html_title or config.project


def first_sentences(doctree, letters=200):
    """The question of a lesson, or the first words of another page."""
    paragraph = next((p for p in doctree.findall(nodes.paragraph) if len(p.astext()) > 20), None) if doctree else None
    text = " ".join(paragraph.astext().split()) if paragraph else ""
    return text if len(text) <= letters else text[: text.rindex(" ", 0, letters)] + " …"


def head(app, pagename, context, doctree):
    """What the template `layout.html` writes into the head of the page and into its foot."""
    base, course, number = base_address(repository_of(app.config)), name_of(app.config), cross_links.number_of(pagename)
    title = re.sub(r"<[^>]*>", "", context.get("title", ""))
    card = f"_static/cards/{number}-card.png" if number in cards.PICTURES else "_static/cards/cover.png"
    described = first_sentences(doctree) or f"{title}: {course}."
    return {
        "title": f"{course}: convolutional networks in PyTorch" if pagename == COVER else f"{title} · {course}",
        "description": described,
        "address": base and f"{base}{pagename}.html",
        "card": base + card,
        "card_alt": cards.PICTURES[number].__doc__ if number in cards.PICTURES else course,
        "credit": credit(app.config),
        "run": run_of(app, pagename),
    }


def credit(config):
    """Who made the book, under which licence, and which version this is; HTML."""
    from course_utils import __version__
    from tools.common import AUTHORS, COURSE

    source, by = repository_of(config), html.escape(f"{name_of(config)} {__version__}, by {config.author}.", quote=False)
    if config.author != AUTHORS:  # as the licence of text and figures asks of a fork
        by += f" Based on {COURSE} by {AUTHORS}, changed."
    return (
        f"{by} Code under the MIT licence, text and figures under CC BY 4.0. "
        f'<a href="{source}">Source</a>, <a href="{source}/issues">questions and mistakes</a>.'
    )


def executed(app):
    return json.loads((Path(app.srcdir) / "executed.json").read_text(encoding="utf-8"))


def run_of(app, pagename):
    """When and on what the lesson of this page, or the lessons of this book, were executed."""
    runs = executed(app)
    one = runs.get(pagename.removeprefix("notebooks/"))
    chosen = [one] if one else list(runs.values())
    if not chosen:
        return ""
    dates = sorted({run["date"] for run in chosen})
    copies = sorted({copy for run in chosen for copy in run["data"].values()})
    when = " to ".join(dict.fromkeys([dates[0], dates[-1]]))
    return f"{'This lesson was' if one else 'The lessons were'} run on {when}, on {' and '.join(copies) or 'no'} data."


def slim(context):
    """Leave out what no page of ours needs; let what is left wait until the page is there."""
    formulas = 'class="math' in context.get("body", "")
    scripts = []
    for script in context["script_files"]:
        file = str(script.filename or "")
        typesets = "mathjax" in file or "MathJax" in script.attributes.get("body", "")  # the script, and its settings
        if typesets and formulas or Path(file).name in SCRIPTS:
            if file:
                script.attributes.setdefault("async" if typesets else "defer", "")
            scripts.append(script)
    context["script_files"] = scripts
    context["css_files"] = [
        style for style in context["css_files"] if Path(str(style.filename)).name not in STYLES_LEFT_OUT
    ]
    context["metatags"] = re.sub(r'<meta name="viewport"[^>]*>', "", context.get("metatags") or "")  # the page has one


# The lesson's first lines


def launch_links(repository, lesson):
    """(name, address) of each place that opens the lesson. UNTESTED: no network where this was written.

    Colab's and Binder's addresses follow their documentation. Cloud Studio's is taken from one old README, is not
    documented, and can name neither a tag nor a file: it opens the default branch. Try it by hand before relying on it.
    """
    from course_utils import __version__

    owner_name, path = repository.removeprefix("https://github.com/"), f"notebooks/{lesson}.ipynb"
    return [
        ("Open in Colab", f"https://colab.research.google.com/github/{owner_name}/blob/v{__version__}/{path}"),
        ("Binder", f"https://mybinder.org/v2/gh/{owner_name}/v{__version__}?urlpath=lab/tree/{path}"),
        ("Cloud Studio", f"https://cloudstudio.net/#{repository}.git"),
    ]


FACTS = re.compile(r"<p>(<strong>Read</strong>.*?)</p>", re.DOTALL)
BANNER = r'<blockquote class="note">\s*<div><p><strong>Sample data.*?</blockquote>\s*'
RUN = re.compile(rf'(?:{BANNER})?<div class="executed">.*?</div>', re.DOTALL)


def add_lesson_head(body, links, download):
    """One row of facts below the lesson's question, with the way into Colab and a menu of the others."""
    (colab, address), *others = links
    listed = "".join(f'<li><a href="{url}">{name}</a></li>' for name, url in others)
    row = (
        f'<nav class="launch" aria-label="Open this lesson"><a class="colab" href="{address}">{colab}</a>'
        f'<details class="more"><summary>More</summary><ul>{listed}'
        f'<li><a href="{download}" download>Download .ipynb</a></li></ul></details></nav>'
    )
    run = RUN.search(body)  # it comes after the lesson's first cell, which says what the reader will be able to do
    told = run[0] if run else ""
    body = body.replace(told, "", 1)
    facts = FACTS.search(body)
    if not facts:  # a page of the reference part that runs
        return body.replace("</h1>", f'</h1><div class="facts">{row}</div>{told}', 1)
    said = re.sub(r" on (one|two) CPU cores?", "", facts[1])  # what it ran on stands in the line below
    return body.replace(facts[0], f'<div class="facts"><p>{said}</p>{row}</div>{told}', 1)


def choose_buttons(context, pagename):
    """In the bar above the page: the source, and what the theme adds itself (colours, search, contents).

    A lesson is edited in its manuscript; a generated page not at all.
    """
    context["header_buttons"] = [b for b in context.get("header_buttons", []) if b.get("label") == "source-buttons"]
    for group in context["header_buttons"]:
        for button in list(group["buttons"]):
            if button["label"] == "source-edit-button":
                button["url"] = re.sub(r"notebooks/(\w+)\.ipynb$", r"book/\1.py", button["url"])
                if pagename in GENERATED:
                    group["buttons"].remove(button)


def dress_page(app, pagename, templatename, context, doctree):
    """Runs after the theme has made its header buttons (501)."""
    choose_buttons(context, pagename)
    body = context.get("body", "")
    body = body.replace('role="doc-biblioentry"', 'role="listitem"')  # ARIA has given up the former
    body = body.replace(' aria-label="Toggle hidden content"', "")  # what one sees is the better name
    if pagename.startswith("notebooks/"):
        lesson = pagename.removeprefix("notebooks/")
        download = context["pathto"](f"_sources/notebooks/{lesson}.ipynb", 1)
        body = add_lesson_head(body, launch_links(repository_of(app.config), lesson), download)
    context["body"] = pictures.dress(body, Path(app.srcdir) / "book/_static")
    context["course"] = head(app, pagename, context, doctree)
    slim(context)


BOXES = {"Predict": "predict", "Find the bug": "find-the-bug"}


def name_boxes(app, doctree):
    """Quotations and exercises get a class each, so that each kind of box has a look of its own."""
    for quote in doctree.findall(nodes.block_quote):
        text = quote.astext()
        quote["classes"].append(next((box for start, box in BOXES.items() if text.startswith(start)), "note"))
    for section in doctree.findall(nodes.section):
        if section[0].astext().startswith("Exercise "):
            section["classes"].append("exercise")


def index_sections(app, doctree):
    app.env.course_sections[app.env.docname] = list(search_index.sections_of(doctree))


# Files beside the pages


def add_missing_page(app, config):
    """404.html, for a host that knows where the site stands."""
    if base_address(repository_of(config)):
        config.html_additional_pages = {**config.html_additional_pages, "404": "missing.html"}


def add_files(app, exception):
    """What no page holds: search index, cards, WebP, the list of pages, MathJax where it is used."""
    if exception or app.builder.name != "html":
        return
    site, env = Path(app.outdir), app.env
    titles = {name: env.titles[name].astext() for name in env.found_docs}
    index = search_index.script_of(env.course_sections, titles)
    (site / "_static/sections.js").write_text(index, encoding="utf-8")
    lessons = {
        cross_links.number_of(name): (titles[name], first_sentences(env.get_doctree(name)))
        for name in env.found_docs
        if cross_links.number_of(name) in cards.PICTURES
    }
    cards.write_all(site / "_static", lessons, name_of(app.config))
    pictures.convert(site / "_images", Path(app.srcdir).parent / "pictures")
    add_mathjax(site)
    if base := base_address(repository_of(app.config)):
        addresses = "".join(f"<url><loc>{base}{name}.html</loc></url>\n" for name in sorted(env.found_docs))
        (site / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{addresses}</urlset>\n',
            encoding="utf-8",
        )
        root_addresses(site / "404.html", urllib.parse.urlsplit(base).path)


def root_addresses(file, path):
    """A page that a host shows at any address names its files from the host's root on."""
    text = file.read_text(encoding="utf-8")
    text = re.sub(r'\b(href|src|action|data-content_root)="(?![a-z]+:|#|/)(?:\./)?', rf'\1="{path}', text)
    file.write_text(text, encoding="utf-8")


def add_mathjax(site):
    """Bring the part of MathJax that the pages use: 2 of the package's 24 megabytes."""
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
    mathjax = site / "_static/mathjax"
    shutil.copytree(package / "output/chtml/fonts", mathjax / "output/chtml/fonts", dirs_exist_ok=True)
    shutil.copy(package / "tex-chtml-full.js", mathjax)


# How Sphinx builds


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


def setup(app):
    app.connect("config-inited", build_in_parallel)
    app.connect("config-inited", read_our_modules_only)
    app.connect("config-inited", silence_thebe)
    app.connect("config-inited", add_missing_page)
    app.connect("builder-inited", require_executed_lessons, priority=1)
    app.connect("env-before-read-docs", cross_links.begin)
    app.connect("env-merge-info", cross_links.merge)
    app.connect("doctree-read", name_boxes)
    app.connect("doctree-read", index_sections)
    app.connect("doctree-read", cross_links.collect)
    app.connect("doctree-resolved", cross_links.link_all, priority=900)
    app.connect("html-page-context", dress_page, priority=900)
    app.connect("autodoc-process-docstring", backticks_are_code)
    app.connect("build-finished", add_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
