"""Explorers: small pages to play with, which a cell shows in a notebook and in the book."""

import json
import re
from html import escape
from typing import Any, NamedTuple

from ._arguments import one_of, shown
from ._files import PACKAGE, resource

__all__ = ["explore", "frame"]


HEAD = r'name="height" content="(.*?)">\s*<title>(.*?)<.*id="choices".*?>(.*?)<'  # in pixels; text; JSON


class _Frame(NamedTuple):
    """What a cell displays: where no HTML can be shown, a line of text."""

    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        [title] = re.findall('title="(.*?)"', self.html)
        return f'<The explorer "{title}": open this notebook in a browser>'


def explore(name: str, **options: Any) -> None:
    """Show an explorer below the cell. It needs no network; where scripts are off, it shows a still picture.

    Args:
        name: `"convolution"`, `"shapes"`, `"kernels"`, `"twelve-parameters"` or `"digit"`.
        options: what it begins with, such as `stride=2`. Each explorer has its own; a wrong name lists them.

    Raises:
        TypeError, ValueError: there is no such explorer, or no such option, or the option can't have this value.

    Example:
        >>> explore("convolution", preset="blur", padding=1)
        <The explorer "A kernel walks over an image": open this notebook in a browser>
    """
    from IPython.display import display

    display(_Frame(frame(name, **options)))


def frame(name: str, **options: Any) -> str:
    """The HTML of an explorer: one `<iframe>` that holds its whole page. Arguments and errors: as for `explore`.

    Example:
        >>> frame("shapes", size=32)[:7]
        '<iframe'
    """
    one_of("name", name, sorted(file.stem for file in (PACKAGE / "widgets").glob("*.html")))
    page = resource(f"widgets/{name}.html").read_text(encoding="utf-8")
    [(height, title, text)] = re.findall(HEAD, page, re.DOTALL)
    choices = json.loads(text)
    for option, value in options.items():
        allowed = choices[one_of("the option", option, choices)]
        if allowed and (type(value), value) not in [(type(choice), choice) for choice in allowed]:
            few = allowed if len(allowed) < 20 else [*allowed[:3], "…", allowed[-1]]
            raise ValueError(f"{option} must be one of {', '.join(map(str, few))}; got {shown(value)}.")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise TypeError(f"{option} must be finite numbers, or lists of them; got {shown(value)}.") from None
    given = json.dumps(options).replace("<", "\\u003c")  # ends no script
    page = escape(page.replace(">{}</script>", f">{given}</script>"))
    style = f"width: 100%; height: {height}px; border: 0"
    return f'<iframe class="explorer" data-name="{name}" title="{title}" style="{style}" srcdoc="{page}"></iframe>'
