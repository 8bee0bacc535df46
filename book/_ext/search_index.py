"""What the site's search looks through: every section of every page, with its words, as one script.

It is a script, and no JSON file, so that the search also works on a site that was unpacked on a disk. `course.js`
loads it when somebody searches, and not before.
"""

import json
import re

from docutils import nodes
from sphinx import addnodes

LEFT_OUT = (
    nodes.literal_block, nodes.doctest_block, nodes.raw, nodes.math_block, nodes.comment, addnodes.toctree, nodes.image)


def text_of(node):
    """The words of a node, without code, and without what a section below it says."""
    if isinstance(node, nodes.Text):
        return node.astext()
    if isinstance(node, (*LEFT_OUT, nodes.section)):
        return ""
    if isinstance(node, addnodes.desc):  # a name of the package, which is a section of its own
        return ""
    if isinstance(node, nodes.math):
        return "…"
    if isinstance(node, nodes.block_quote) and node.astext().startswith("Sample data."):
        return ""
    if isinstance(node, nodes.paragraph) and re.match(r"Read \d+ min · Run ", node.astext()):
        return ""
    inline = isinstance(node, nodes.TextElement)
    return ("" if inline else " ").join(text_of(child) for child in node.children)


def squeezed(text):
    return re.sub(r"\s+", " ", text).strip()


def names_of(section):
    """The names that the section's own code uses, such as `zero_grad`; each once, without what the setup cell uses."""
    own = [
        block.astext()
        for child in section.children
        if not isinstance(child, nodes.section)
        for block in child.findall(nodes.literal_block)
        if not block.astext().startswith("# @title")
    ]
    return " ".join(sorted(set(re.findall(r"(?<![\"'\w])[A-Za-z_]\w{3,}", " ".join(own)))))


def sections_of(doctree):
    """(title, anchor, words, names in code) of each section, glossary term and documented name of a page."""
    for section in doctree.findall(nodes.section):
        title = section.next_node(nodes.title)
        words = squeezed(" ".join(text_of(child) for child in section.children if child is not title))
        if words:
            yield squeezed(title.astext()), section["ids"][0], words, names_of(section)
    for glossary in doctree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            term, definition = item.next_node(nodes.term), item.next_node(nodes.definition)
            yield squeezed(term.astext()), term["ids"][0], squeezed(text_of(definition)), ""
    for described in doctree.findall(addnodes.desc):
        signature = described.next_node(addnodes.desc_signature)
        if signature and signature["ids"]:
            words = squeezed(text_of(described.next_node(addnodes.desc_content)))
            yield signature["ids"][0].removeprefix("course_utils."), signature["ids"][0], words, ""


def script_of(pages, titles):
    """The script: for each page its address, its title and its sections."""
    listed = [[f"{name}.html", titles[name], sections] for name, sections in sorted(pages.items())]
    return f"courseSections({json.dumps(listed, ensure_ascii=False, separators=(',', ':'))})\n"
