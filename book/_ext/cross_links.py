"""Links that nobody has to write: lessons, exercises, claims, terms, names of the package, papers.

The manuscript says "lesson 3", and a notebook shows just that. On the site it is a link. Terms of the glossary are linked
where a lesson uses them first, with the definition beside them; names of `course_utils` where a section does.
"""

import html
import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path

from docutils import nodes
from pybtex.database import parse_file
from sphinx import addnodes
from sphinx.util import logging

log = logging.getLogger(__name__)
CLOSED = (nodes.reference, nodes.literal, nodes.literal_block, nodes.title, nodes.raw, nodes.math, nodes.math_block,
          nodes.term, addnodes.desc_signature, nodes.rubric, nodes.comment)  # no link is put into these
NUMBERS = r"\d\d?(?:(?:,\s+and\s+|,\s+|\s+and\s+|\s+or\s+|\s+to\s+|–)\d\d?\b(?!\.\d))*"
MENTION = re.compile(
    rf"(?P<lessons>\b[Ll]essons?\s+(?P<numbers>{NUMBERS}))"
    r"|(?P<exercise>\b[Ee]xercise\s+(?P<which>\d\d?\.\d\d?))"
    r"|(?P<claim>\b[Cc]laim\s+(?P<id>\d\d-\d\d))"
    r"|(?P<arxiv>\barXiv[:\s](?P<paper>\d{4}\.\d{4,5}))"
)
PACKAGE = "book/package"


def number_of(docname):
    """The number of a lesson's page, such as "02"; "" for other pages."""
    found = re.match(r"notebooks/(\d\d)_", docname)
    return found[1] if found else ""


class Places:
    """Where everything is that a page can mention."""

    def __init__(self, app):
        env = app.env
        self.app = app
        self.lessons = {number_of(name): name for name in env.found_docs if number_of(name)}
        self.exercises = env.course_exercises
        self.terms = env.course_terms
        self.names = names_of(env.domaindata["py"]["objects"])
        self.forms = {form: term for term in self.terms for form in forms_of(term)}
        longest_first = [r"\s+".join(map(re.escape, form.split())) for form in sorted(self.forms, key=len, reverse=True)]
        self.term = re.compile(rf"\b({'|'.join(longest_first)})\b", re.IGNORECASE) if longest_first else None

    def address(self, page, target, anchor=""):
        return self.app.builder.get_relative_uri(page, target) + (f"#{anchor}" if anchor else "")

    def mentions(self, page, text):
        """(start, end, address) of each lesson, exercise, claim and paper that the text mentions."""
        for found in MENTION.finditer(text):
            if found["lessons"]:
                for number in re.finditer(r"\d+", found["numbers"]):
                    target = self.lessons.get(f"{int(number[0]):02}")
                    start, end = (found.start("numbers") + place for place in number.span())
                    if number.start() == 0:
                        start = found.start()
                    if target and target != page:
                        yield start, end, self.address(page, target)
            elif found["exercise"] and found["which"] in self.exercises:
                yield *found.span("exercise"), self.address(page, *self.exercises[found["which"]])
            elif found["claim"] and page != "book/claims" and found["id"][:2] in self.lessons:
                yield *found.span("claim"), self.address(page, self.lessons[found["id"][:2]], f"claim-{found['id']}")
            elif found["arxiv"]:
                yield *found.span("arxiv"), f"https://arxiv.org/abs/{found['paper']}"


def names_of(objects):
    """What a page may call each public name of the package, and its full name.

    `plots.curves` and `course_utils.plots.curves` are clear; a bare `fit` is, if the package itself exports it. A bare
    `images` could be any variable of a lesson.
    """
    import course_utils

    names, exported = {}, dir(course_utils)
    for full, entry in objects.items():
        parts = full.split(".")
        if parts[0] != "course_utils":
            continue
        names[full] = (full, entry.node_id)
        if len(parts) == 3:
            names[".".join(parts[1:])] = (full, entry.node_id)
            if parts[2] in exported:
                names[parts[2]] = (full, entry.node_id)
    return names


IRREGULAR = {"y": "ies", "ch": "ches", "s": "sses"}


def forms_of(term):
    """A term as texts write it: singular and plural, in small letters."""
    term = term.lower()
    ending = next((end for end in IRREGULAR if term.endswith(end)), "")
    yield term
    yield term.removesuffix(ending) + IRREGULAR[ending] if ending else f"{term}s"


def collect(app, doctree):
    """Remember the exercises and the terms of a page that has just been read."""
    env = app.env
    for section in doctree.findall(nodes.section):
        if found := re.match(r"Exercise (\d+\.\d+)", section[0].astext()):
            env.course_exercises[found[1]] = (env.docname, section["ids"][0])
    for glossary in doctree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            said = item.next_node(nodes.definition).next_node(nodes.paragraph).astext()
            said = re.sub(r"\s*\([\d, ]+\)$", "", " ".join(said.split()))
            for term in item.findall(nodes.term):
                env.course_terms[term.astext()] = (env.docname, term["ids"][0], said)
    add_look_back(app, doctree)


def straight(text):
    """A heading without marks that the manuscript and Sphinx write differently."""
    return text.translate(str.maketrans("‘’“”", "''\"\"", "`*"))


@cache
def look_back():
    """For each exercise, the sections of its lesson to read again."""
    steps = tomllib.loads((files("course_utils") / "checks" / "steps.toml").read_text(encoding="utf-8"))
    return {exercise: step["again"] for exercise, step in steps.items()}


def add_look_back(app, doctree):
    """Below each exercise's task, the section of the lesson to read again. A missing one is a warning, which stops us."""
    sections = {straight(section[0].astext()): section["ids"][0] for section in doctree.findall(nodes.section)}
    for section in doctree.findall(nodes.section):
        found = re.match(r"Exercise (\d+\.\d+)", section[0].astext())
        if not found:
            continue
        if found[1] not in look_back():
            log.warning(f"steps.toml has no line for exercise {found[1]}", location=section)
        wanted = [straight(heading) for heading in look_back().get(found[1], [])]
        for heading in wanted:
            if heading not in sections:
                log.warning(f"steps.toml: no section {heading!r} for exercise {found[1]}", location=section)
        if not wanted:
            continue
        line = nodes.paragraph(classes=["look-back"])
        line += nodes.Text("Look back: ")
        for place, heading in enumerate(heading for heading in wanted if heading in sections):
            line += [nodes.Text(", ")] * (place > 0)
            line += nodes.reference("", heading, internal=True, refuri=f"#{sections[heading]}")
        after = next((i for i, child in enumerate(section.children) if is_cell(child)), len(section.children))
        section.insert(after, line)


def is_cell(node):
    return isinstance(node, nodes.container) and "cell" in node.get("classes", [])


def link_all(app, doctree, docname):
    """Put the links into a page that is about to be written."""
    places = app.course_places = getattr(app, "course_places", None) or Places(app)
    numbered = number_of(docname)
    join_lines(doctree)
    for text in list(doctree.findall(nodes.Text)):
        if not within(text, CLOSED):
            found = list(places.mentions(docname, text))
            split(text, [(start, end, link(address, text[start:end])) for start, end, address in found])
    if numbered:
        link_terms(places, doctree, docname)
        link_outputs(places, doctree, docname)
        link_papers(places, doctree, docname)
    if docname == "book/claims":
        link_outputs(places, doctree, docname)
    if docname != PACKAGE:
        link_names(places, doctree, docname)
    if docname == "book/glossary":
        link_numbers(places, doctree, docname)


def join_lines(doctree):
    """Make one text of the lines of a paragraph, which are a text each: a mention may go over the end of a line."""
    for element in doctree.findall(nodes.TextElement):
        joined = []
        for child in element.children:
            if joined and isinstance(child, nodes.Text) and isinstance(joined[-1], nodes.Text):
                joined[-1] = nodes.Text(joined[-1] + child)
            else:
                joined.append(child)
        if len(joined) < len(element.children):
            element.children = []
            element.extend(joined)


def within(node, kinds):
    while node := node.parent:
        if isinstance(node, kinds):
            return True
    return False


def link(address, text):
    return nodes.reference("", text, internal=not address.startswith("http"), refuri=address)


def split(text, found):
    """Replace parts of a text: (start, end, node) each."""
    if not found:
        return
    parts, place = [], 0
    for start, end, node in found:
        parts += [nodes.Text(text[place:start]), node]
        place = end
    parts.append(nodes.Text(text[place:]))
    text.parent.replace(text, [part for part in parts if not isinstance(part, nodes.Text) or part])


GOALS = {"What you will be able to do", "What you can do now", "Further reading"}


def section_of(node):
    """The section that a node stands in; None outside of all."""
    while node and not isinstance(node, nodes.section):
        node = node.parent
    return node


def is_running_text(node):
    """Whether a text belongs to what a lesson tells, and not to its head, its goals or its reading list."""
    section = section_of(node)
    return bool(section) and isinstance(section.parent, nodes.section) and section[0].astext() not in GOALS


def link_terms(places, doctree, docname):
    """Each term of the glossary, where the lesson's text first uses it, with its definition for whoever points at it."""
    seen = set()
    for text in list(doctree.findall(nodes.Text)):
        if places.term is None or within(text, (*CLOSED, nodes.block_quote)) or not is_running_text(text):
            continue
        found = []
        for match in places.term.finditer(text):
            term = places.forms[" ".join(match[0].lower().split())]
            if term in seen:
                continue
            seen.add(term)
            page, anchor, said = places.terms[term]
            number = f"term-{len(seen)}"
            preview = (
                f'<span class="term"><a href="{places.address(docname, page, anchor)}" aria-describedby="{number}">'
                f'{html.escape(match[0])}</a><span class="preview" role="tooltip" id="{number}">{html.escape(said)}</span></span>'
            )
            found.append((*match.span(), nodes.raw("", preview, format="html")))
        split(text, found)


def link_names(places, doctree, docname):
    """Each public name of the package, where a section first uses it."""
    seen = set()
    for literal in list(doctree.findall(nodes.literal)):
        name = re.match(r"[\w.]*", literal.astext())[0].strip(".")
        rest = literal.astext()[len(name):]
        if name not in places.names or (rest and not rest.startswith("(")) or within(literal, (nodes.reference, nodes.title)):
            continue
        full, anchor = places.names[name]
        first = (id(section_of(literal)), full)
        if first not in seen:
            seen.add(first)
            reference = nodes.reference("", "", internal=True, refuri=places.address(docname, PACKAGE, anchor))
            literal.replace_self(reference)
            reference += literal


POWER = re.compile(r"(?<![\w.])(\d(?:\.\d+)?)e([+-])0?(\d+)\b")  # 1e-08, as Python writes it


def by_hand(found):
    """A number as one writes it by hand: 10⁻⁸."""
    digits, sign, power = found.groups()
    raised = f"10{'⁻' if sign == '-' else ''}{power.translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
    return raised if digits == "1" else f"{digits}·{raised}"


def link_outputs(places, doctree, docname):
    """Links in the sentences that a cell shows, numbers as one writes them by hand, and an anchor for each claim."""
    for raw in doctree.findall(nodes.raw):
        text = raw.astext()
        if not re.match(r'<div class="(claim|agreement|figure-title)"|<ul class="claim-list"', text):
            continue
        text = re.sub(r'<div class="(claim|agreement)" data-id="(\d\d-\w+)"', r'<div class="\1" id="claim-\2" data-id="\2"', text)
        listed = places.address(docname, "book/claims")
        text = re.sub(r"<small>claim (\d\d-\d\d)", rf'<small><a href="{listed}#claim-\1">claim \1</a>', text)
        parts = re.split(r"(<a .*?</a>|<[^>]*>)", text)
        for number, part in enumerate(parts):
            if not part.startswith("<"):
                part = POWER.sub(by_hand, part)
                for start, end, address in reversed(list(places.mentions(docname, part))):
                    part = f'{part[:start]}<a href="{address}">{part[start:end]}</a>{part[end:]}'
                parts[number] = part
        raw.children = [nodes.Text("".join(parts))]


@cache
def papers():
    """The address of each paper of the references that has one, by its title in small letters."""
    addresses = {}
    for entry in parse_file(Path(__file__).parents[1] / "references.bib").entries.values():
        fields, told = entry.fields, " ".join(map(str, entry.fields.values()))
        arxiv, site = re.search(r"arXiv:(\d{4}\.\d{4,5})", told), re.search(r"\\url\{(.*?)\}", told)
        addresses[plain(fields["title"])] = (
            fields.get("url")
            or (f"https://doi.org/{fields['doi']}" if "doi" in fields else "")
            or (f"https://arxiv.org/abs/{arxiv[1]}" if arxiv else "")
            or (site[1] if site else "")
        )
    return addresses


def paper_address(title):
    """Where to find a paper, by its title or by the words that its title begins with; None for what is no paper."""
    title = plain(title)
    longer = sorted(known for known in papers() if known == title or known.startswith(f"{title} "))
    return papers()[longer[0]] if longer else None


def plain(title):
    return re.sub(r"\W+", " ", re.sub(r"[{}\\]", "", title)).strip().lower()


def link_papers(places, doctree, docname):
    """In *Further reading*, each title of the references: to the paper, or where it has no address, to the references."""
    for section in doctree.findall(nodes.section):
        if section[0].astext() != "Further reading":
            continue
        for title in list(section.findall(nodes.emphasis)):
            address = paper_address(title.astext())
            if address is not None and not within(title, nodes.reference):
                reference = nodes.reference("", "", internal=not address)
                reference["refuri"] = address or places.address(docname, "book/references")
                title.replace_self(reference)
                reference += title


def link_numbers(places, doctree, docname):
    """The numbers of lessons at the end of each entry of the glossary."""
    for emphasis in list(doctree.findall(nodes.emphasis)):
        if not re.fullmatch(r"\([\d, ]+\)", emphasis.astext()):
            continue
        [text] = emphasis.children
        numbers = [(*found.span(), places.lessons.get(f"{int(found[0]):02}")) for found in re.finditer(r"\d+", text)]
        split(text, [(a, b, link(places.address(docname, page), text[a:b])) for a, b, page in numbers if page])


def begin(app, env, docnames):
    """Start with nothing known; every build of ours reads all pages."""
    env.course_exercises, env.course_terms, env.course_sections = {}, {}, {}


def merge(app, env, docnames, other):
    """Take over what another process has read."""
    env.course_exercises |= other.course_exercises
    env.course_terms |= other.course_terms
    env.course_sections |= other.course_sections
