"""The page Claims: every claim of the lessons, as the run that the site is built from showed it.

And the claims that other pages quote.
"""

import html
import re
from functools import cache
from html.parser import HTMLParser

QUOTED = re.compile(r"^\{\{ claim (\d\d): (.+) \}\}$", re.MULTILINE)
MARKS = {"checked": "✓ checked", "skipped": "○ not checked", "missed": "✗ missed"}

INTRODUCTION = """# Claims

Every number that a lesson states in a claim, with its value in the run that this site was built from. *Checked*: the
cell that states it compared it with its bound, and would have stopped the book if it were false. *Not checked*: this
data or this size of run is not the one that the claim speaks of. An *agreement* says that something of ours equals
something of PyTorch's, to the last digits that the arithmetic allows. A number leads to the place in its lesson.
"""


class ClaimReader(HTMLParser):
    """Collects the `<div class="claim">`s of a piece of HTML, or those of another class, with their data attributes and
    sentences."""

    def __init__(self, wanted="claim"):
        super().__init__()
        self.wanted = wanted
        self.claims, self.inside = [], False  # inside: of a claim's sentence, which a <br> or the end of the <div> ends

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "div" and attributes.get("class") == self.wanted:
            self.inside = True
            self.claims.append({name.removeprefix("data-"): value for name, value in attributes.items()} | {"text": ""})
        elif tag == "br":
            self.inside = False
        elif tag == "code":
            self.handle_data("`")

    def handle_endtag(self, tag):
        if tag == "div":
            self.inside = False
        elif tag == "code":
            self.handle_data("`")

    def handle_data(self, text):
        if self.inside:
            self.claims[-1]["text"] += text


def claims_of(notebook, wanted: str = "claim") -> list[dict]:
    """The claims that an executed notebook shows, in their order: id, kind, status, value, copy, text, …; or its
    agreements: id, difference, within, text."""
    reader = ClaimReader(wanted)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            reader.feed(output.get("data", {}).get("text/html", ""))
    return reader.claims


def claims_page(notebooks: dict) -> str:
    """The page, from the executed notebooks by lesson name: a summary, and a list for each lesson."""
    found = {
        name: (claims_of(notebook), claims_of(notebook, "agreement"))
        for name, notebook in notebooks.items()
        if notebook.cells[0].source.startswith("# ")
    }
    found = {name: both for name, both in found.items() if any(both)}
    parts = [INTRODUCTION, *summary(found)]
    for name, (claims, agreements) in found.items():
        title = notebooks[name].cells[0].source.splitlines()[0].removeprefix("# ")
        rows = "".join(claim_row(name, claim) for claim in claims)
        rows += "".join(agreement_row(name, agreement) for agreement in agreements)
        parts.append(f'\n## [{title}](../notebooks/{name}.ipynb)\n\n<ul class="claim-list">{rows}</ul>')
    return "\n".join(parts) + "\n"


def summary(found: dict) -> list[str]:
    """One row for each lesson: how many of its claims were checked, and how many were not; the last row adds up."""
    rows = []
    for name, (claims, agreements) in found.items():
        states = [claim["status"] for claim in claims]
        counts = [len(claims), *(states.count(status) for status in MARKS), len(agreements)]
        rows.append([name, counts])
    total = [sum(column) for column in zip(*(counts for _, counts in rows), strict=True)]
    shown = [[f"{int(name[:2])}" if name[:2].isdigit() else name, *map(str, counts)] for name, counts in rows]
    header = ["lesson", "claims", "checked", "not checked", "missed", "agreements"]
    listed = [header, ["--:"] * 6, *shown, ["**all**", *(f"**{count}**" for count in total)]]
    return [":::{div} summary", *map(table_row, listed), ":::"]


def claim_row(name: str, claim: dict) -> str:
    how = f"{MARKS[claim['status']]} · {shown_value(claim['value'])}" + (f" · {claim['copy']}" if claim["copy"] else "")
    return row(name, claim["id"], claim["status"], claim["text"], how)


def agreement_row(name: str, agreement: dict) -> str:
    difference, within = (shown_value(agreement[key]) for key in ("difference", "within"))
    text = agreement["text"].strip().removeprefix("✓ ").rpartition(": ")[0]
    same = float(agreement["difference"]) == 0
    how = "exactly equal" if same else f"largest difference {difference}, at most {within} allowed"
    return row(name, agreement["id"], "agreement", text, f"✓ equal · {how}")


def row(name: str, number: str, status: str, text: str, how: str) -> str:
    """A claim or an agreement, as HTML in one line; backticks are code."""
    sentence = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text.strip(), quote=False))
    return (
        f'<li id="claim-{number}" class="{status}" data-lesson="{name[:2]}" data-status="{status}">'
        f'<a href="../notebooks/{name}.html#claim-{number}">{number}</a>'
        f"<p>{sentence}</p><small>{html.escape(how, quote=False)}</small></li>"
    )


def with_quoted_claims(text: str, notebooks: dict) -> str:
    """A page with its quotations filled in, from the executed notebooks by lesson name.

    The line `{{ claim 08: Dropout left on costs }}` becomes the one claim of lesson 8 that holds these words.
    """

    @cache  # a page quotes a lesson many times
    def shown(number):
        return [claim for name in notebooks if name.startswith(number) for claim in claims_of(notebooks[name])]

    def quote(token):
        number, words = token.groups()
        found = [claim for claim in shown(number) if words in claim["text"]]
        if len(found) != 1:
            raise ValueError(f"{token[0]} must quote words of one claim of lesson {number}; {len(found)} have them.")
        [claim] = found
        status = MARKS[claim["status"]][2:] + (f" on this data ({claim['copy']})" if claim["copy"] == "sample" else "")
        return f":::{{div}} quoted {claim['status']}\n{claim['text'].strip()}\n\nclaim {claim['id']} · {status}\n:::"

    return QUOTED.sub(quote, text)


def shown_value(value: str) -> str:
    """A number as one writes it by hand, with six significant digits: −0.25, 8.3·10⁻¹⁷. Anything else as it is."""
    try:
        text = value if value.lstrip("-").isdigit() else f"{float(value):.6g}"
    except ValueError:
        return value
    digits, _, power = text.partition("e")
    digits = digits.replace("-", "−")
    if not power:
        return digits
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if digits == "1" else f"{digits}·10{raised}"


def table_row(texts: list[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"
