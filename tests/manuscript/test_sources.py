"""The page *Sources and their mistakes*: fifty mistakes, each told once, each mended where the page says so."""

import ast
import re
import string
from functools import cache

import pytest

from tools.claims_page import QUOTED, with_quoted_claims
from tools.common import ROOT, lessons, manuscripts, read, read_notebook

PAGE = read(ROOT / "book" / "sources.md")
COUNT = 50
HEADING = re.compile(r"^\(mistake-(\d+)\)=\n### (\d+) · \S.*$", re.MULTILINE)
LINK = re.compile(r"\]\(\.\./notebooks/(\w+)\.ipynb(?:#([\w-]+))?\)")
UNLINKED = re.compile(r"(?<!\[)\b[Ll]essons? (\d+)(?:(?: and|,) (\d+))?(?!\d|\]\()( \(being written\))?")


def entries():
    """(number, text) of each mistake, in the order of the page."""
    starts = [*HEADING.finditer(PAGE)]
    ends = [start.start() for start in starts[1:]] + [PAGE.index("\n## Seven habits")]
    return [(int(start[2]), PAGE[start.end() : end]) for start, end in zip(starts, ends, strict=True)]


ENTRIES = [pytest.param(text, id=f"mistake-{number}") for number, text in entries()]


def slug(heading):
    """The anchor of a heading, as on GitHub and on this site."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def text_of(cell):
    """A cell's prose and the sentences of its claims, which are found in its code."""
    if cell.cell_type == "markdown":
        return cell.source
    calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    claims = [call for call in calls if ast.unparse(call.func) in ("claim", "claim.data", "claim.measured")]
    return "\n".join(f"claim: {sentence(call.args[0])}" for call in claims)


def sentence(node):
    """A claim's sentence without what is computed: {value} and the fields of an f-string become a gap."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    written = "".join(part.value if isinstance(part, ast.Constant) else "…" for part in parts)
    return "".join(text + ("…" if field else "") for text, field, _, _ in string.Formatter().parse(written))


@cache
def sections(lesson):
    """Anchor → text of each section of a lesson, its own subsections included; below "" stands the whole lesson."""
    cells = read_notebook(ROOT / "notebooks" / f"{lesson}.ipynb").cells
    text = "\n".join(text_of(cell) for cell in cells)
    heads = [*re.finditer(r"^(##+) (.+)$", text, re.MULTILINE)]
    found = {"": text}
    for number, head in enumerate(heads):
        later = [other.start() for other in heads[number + 1 :] if len(other[1]) <= len(head[1])]
        found[slug(head[2])] = text[head.start() : min(later, default=len(text))]
    return found


def shown(text, status="checked", copy=""):
    """An executed notebook with one claim."""
    html = (
        f'<div class="claim" data-id="08-01" data-status="{status}" data-value="0.1" data-copy="{copy}">{text}'
        "<br><small>claim 08-01</small></div>"
    )
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/html": html}}
    cell = {"cell_type": "code", "metadata": {}, "source": "", "execution_count": 1, "outputs": [output]}
    import nbformat

    return nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})


def test_each_mistake_is_told_once():
    assert sorted(number for number, _ in entries()) == list(range(1, COUNT + 1))
    assert all(label == number for label, number in HEADING.findall(PAGE))
    assert len(re.findall(r"^### ", PAGE, re.MULTILINE)) == len(re.findall(r"^\(mistake-", PAGE, re.MULTILINE)) == COUNT


def test_each_group_says_why_its_mistakes_stay_quiet():
    for group in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:-1]:
        opening = group.split("(mistake-")[0].split("\n", 1)[1]
        assert len(opening.split()) >= 15, group[:50]


@pytest.mark.parametrize("text", ENTRIES)
def test_each_mistake_is_mended_somewhere(text):
    [mended] = re.findall(r"^\*\*(?:Mended|Shown) in\*\*(?:.|\n(?!\n))+", text, re.MULTILINE)
    assert LINK.search(mended) or UNLINKED.search(mended) or re.search(r"\]\(\w+\.md\)", mended)


@pytest.mark.parametrize("text", ENTRIES)
def test_its_links_lead_to_sections_that_exist(text):
    for lesson, anchor in LINK.findall(text):
        assert lesson in manuscripts(), lesson
        assert anchor, f"{lesson}: name the section"
        assert anchor in sections(lesson), f"{lesson} has no section {anchor!r}"


@pytest.mark.parametrize("text", ENTRIES)
def test_what_it_costs_is_claimed_in_a_section_that_it_links(text):
    linked = [sections(lesson)[anchor] for lesson, anchor in LINK.findall(text)]
    for number, words in QUOTED.findall(text):
        [lesson] = [name for name in lessons() if name.startswith(number)]
        claims = re.findall(r"^claim: (.+)$", sections(lesson)[""], re.MULTILINE)
        [claim] = [claim for claim in claims if words in claim]
        assert any(f"claim: {claim}" in section for section in linked), f"not in a linked section: {claim}"


def test_a_lesson_that_exists_is_linked_and_no_longer_being_written():
    known = {int(name[:2]) for name in lessons()}
    for _, text in entries():
        mended = text[re.search(r"\*\*(?:Mended|Shown) in\*\*", text).start() :]
        for first, second, _ in UNLINKED.findall(" ".join(mended.split())):
            assert not known & {int(number) for number in (first, second) if number}, f"make a link of it: {mended}"


def test_a_quotation_becomes_the_claim_with_its_value():
    page = "Before.\n\n{{ claim 08: costs }}\n\nAfter."
    filled = with_quoted_claims(page, {"08_capacity": shown("It costs <code>x</code> 3.1%.")})
    assert filled == "Before.\n\n:::{div} quoted checked\nIt costs `x` 3.1%.\n\nclaim 08-01 · checked\n:::\n\nAfter."
    filled = with_quoted_claims(page, {"08_capacity": shown("It costs 9%.", "skipped", "sample")})
    assert "quoted skipped\nIt costs 9%." in filled and "not checked on this data (sample)" in filled


@pytest.mark.parametrize("words", ["earns", "c"])
def test_a_quotation_that_fits_no_claim_or_two_stops_the_book(words):
    notebooks = {"08_capacity": shown("It costs 1%."), "08_more": shown("It costs 2%.")}
    with pytest.raises(ValueError, match=f"claim 08: {words}"):
        with_quoted_claims(f"{{{{ claim 08: {words} }}}}", notebooks)
