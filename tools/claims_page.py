"""The page Claims: every claim of the lessons, as the run that the site is built from showed it.

And the claims that other pages quote.
"""

import re
from functools import cache
from html.parser import HTMLParser

QUOTED = re.compile(r"^\{\{ claim (\d\d): (.+) \}\}$", re.MULTILINE)
MARKS = {"checked": "✓ checked", "skipped": "– not checked", "missed": "✗ missed"}

INTRODUCTION = """# Claims

Every number that a lesson states in a claim, with its value in the run that this site was built from. *Checked*: the
cell that states it compared it with its bound, and would have stopped the book if it were false. *Not checked*: this
data or this size of run is not the one that the claim speaks of. The value of a claim is shown as it was computed.
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
    """The page, from the executed notebooks by lesson name."""
    parts = [INTRODUCTION]
    for name, notebook in notebooks.items():
        title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
        if claims := claims_of(notebook):
            rows = [["claim", "sentence", "value", "status", "data"], ["---"] * 5]
            for claim in claims:
                status, copy = MARKS[claim["status"]], claim["copy"] or "–"
                rows.append([claim["id"], claim["text"].strip(), shorten(claim["value"]), status, copy])
            heading = f"\n## [{title}](../notebooks/{name}.ipynb)\n"
            parts += [heading, ":::{div} claims", *map(table_row, rows), ":::"]
        if agreements := claims_of(notebook, "agreement"):
            rows = [["agreement", "ours and theirs", "largest difference", "at most"], ["---"] * 4]
            for each in agreements:
                text = each["text"].strip().removeprefix("✓ ").rpartition(": ")[0]
                rows.append([each["id"], text, shorten(each["difference"]), shorten(each["within"])])
            parts += ["\nWhat agrees, ours and theirs:\n", ":::{div} claims", *map(table_row, rows), ":::"]
    return "\n".join(parts) + "\n"


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


def shorten(value: str) -> str:
    """A float with six significant digits; anything else as it is."""
    try:
        return value if value.lstrip("-").isdigit() else f"{float(value):.6g}"
    except ValueError:
        return value


def table_row(texts: list[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"
