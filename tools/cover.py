"""The cover's list of lessons: a card for each, with its picture, number, title, question and times."""

import html
import re
import runpy
from functools import cache

from tools.common import ROOT, contents_of_the_book, lessons

PICTURE = (48, 24)  # pixels of the small picture that book/_ext/cards.py computes for each lesson
TOKEN = "{{ lessons }}"
HEAD = re.compile(
    r"# (?P<number>\d+) · (?P<title>.+)\n+\*(?P<question>[^*]+)\*\n+"
    r"\*\*Read\*\* (?P<read>[^·]+) · \*\*Run\*\* (?P<run>[^·]+?) on [^·]+·"
)


@cache
def pictures() -> dict:
    """What draws the picture of each lesson, by its number; the docstring says what there is to see."""
    return runpy.run_path(str(ROOT / "book" / "_ext" / "cards.py"))["PICTURES"]


def with_cards(page: str, notebooks: dict) -> str:
    """The cover with its token replaced by the cards of these lessons, in the parts of the table of contents."""
    if TOKEN not in page:
        return page
    shown = []
    for caption, pages in contents_of_the_book()[1].items():
        names = [
            name for name in (page.rpartition("/")[2] for page in pages) if name in lessons() and name in notebooks
        ]
        if names:
            cards = "".join(card(name, notebooks[name]) for name in names)
            shown.append(f'### {caption}\n\n<ul class="cards">{cards}</ul>\n')
    return page.replace(TOKEN, "\n".join(shown))


def card(name: str, notebook) -> str:
    """One lesson, as HTML in one line."""
    head = HEAD.match(notebook.cells[0].source)
    if head is None:
        raise ValueError(f"The first cell of {name} must hold title, *question* and **Read** … · **Run** … on … · …")
    if name[:2] not in pictures():
        raise ValueError(f"book/_ext/cards.py draws no picture for {name}: give PICTURES a function for {name[:2]}.")
    texts = {key: html.escape(" ".join(text.split()), quote=True) for key, text in head.groupdict().items()}
    drawn, (width, height) = html.escape(pictures()[name[:2]].__doc__, quote=True), PICTURE
    return (
        f'<li><a href="../notebooks/{name}.html">'
        f'<img src="../_static/cards/{name[:2]}.png" width="{width}" height="{height}" alt="{drawn}" />'
        f'<span class="number">{texts["number"]}</span><strong>{texts["title"]}</strong>'
        f"<em>{texts['question']}</em><small>read {texts['read'].strip()} · run {texts['run'].strip()}</small></a></li>"
    )
