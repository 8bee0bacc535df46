"""Make the course yours: `make brand REPO=owner/name TITLE="Looms" AUTHOR="Ada Lovelace" MIRROR=https://…`.

The address, title and author stand in `_config.yml`; the setup cell of each lesson, launch links and the site get them
from there. The few other places that show the title or the author are rewritten, too. The licences keep their authors.
"""

import json
import os
import re
import sys

from tools.common import AUTHORS, COURSE, ROOT, manuscripts, read, tokens, write
from tools.notebooks import pair

ADDRESS = r"[A-Za-z0-9](-?[A-Za-z0-9])*/[A-Za-z0-9._-]*[A-Za-z0-9_-]"


def check_name(what: str, name: str) -> str:
    """A title or an author: one line of text that shows something."""
    name = name.strip()
    if len(name) > 80 or not name.isprintable() or re.search(r"[{}<>`]", name):
        sys.exit(f"{what} must be one line of at most 80 letters, without {{ }} < > `, not {name!r}.")
    return name


def brand(repository: str, title: str = "", author: str = "", mirror: str = "") -> None:
    """Give the course another address, and what else is given. Nothing is half-done.

    `mirror` is where a lone notebook looks for the release's archive when GitHub gives nothing.
    """
    if not re.fullmatch(ADDRESS, repository) or repository.endswith(".git"):
        sys.exit(f"REPO must be the owner and the name of a GitHub repository, such as owner/name, not {repository!r}.")
    title, author = check_name("TITLE", title), check_name("AUTHOR", author)
    if mirror and not re.fullmatch(r"https?://[^\s;\"\\]+", mirror):
        sys.exit(f"MIRROR must be the address of the release's archive, https://…/v{{version}}.tar.gz, not {mirror!r}.")
    texts = {"_config.yml": read(ROOT / "_config.yml").replace(tokens()["url"], f"https://github.com/{repository}")}

    def replace(name: str, pattern: str, by: str) -> None:
        texts[name] = replaced(texts.get(name) or read(ROOT / name), pattern, by)

    if title:
        replace("_config.yml", r"(?m)^title: .*$", f"title: {quoted(title)}")
        replace("_config.yml", r'logo: \{text: (?:"(?:[^"\\]|\\.)*"|[^,]*),', f"logo: {{text: {quoted(title)},")
        replace("CITATION.cff", r'(?m)^title: ".*$', f"title: {quoted(f'{title}: {SUBTITLE}')}")
        replace("codemeta.json", r'(?m)^  "name": .*$', f'  "name": {quoted(title)},')
        for page in ("README.md", "book/index.md"):
            replace(page, r"(?m)\A# .*$", f"# {title}")
    if mirror:
        replace("_config.yml", r'(?m)^  mirror: "[^"]*"', f'  mirror: "{mirror}"')
    if author:
        replace("_config.yml", r"(?m)^author: .*$", f"author: {quoted(author)}")
        replace("CITATION.cff", r"(?m)^  - name: .*$", f"  - name: {quoted(author)}")
        replace(
            "codemeta.json", r'"Organization", "name": "(?:[^"\\]|\\.)*"', f'"Organization", "name": {quoted(author)}'
        )
        replace("pyproject.toml", r"(?m)^authors = .*$", f"authors = [{{ name = {quoted(author)} }}]")
        if author != AUTHORS and "references:" not in texts["CITATION.cff"]:
            texts["CITATION.cff"] += (
                f"references:\n  - type: software\n    title: {COURSE}\n    authors:\n      - name: {AUTHORS}\n"
            )
    for name, text in texts.items():
        write(ROOT / name, text)
    for lesson in manuscripts():
        pair(lesson)
    now = tokens()
    print(
        f"The course is now {now['title']}, by {now['author']}, at {now['url']}. See what changed with git diff, and "
        "commit it."
    )


SUBTITLE = "Convolutional networks in PyTorch, with nothing taken on trust"


def quoted(name: str) -> str:
    """Text as YAML has it between quotation marks."""
    return json.dumps(name, ensure_ascii=False)


def replaced(text: str, pattern: str, by: str) -> str:
    new, times = re.subn(pattern, lambda _: by, text)
    if times != 1:
        sys.exit(f"make brand found {times} places for {by!r}, and wants one. Nothing was changed.")
    return new


if __name__ == "__main__":
    brand(*(os.environ.get(name, "") for name in ("REPO", "TITLE", "AUTHOR", "MIRROR")))
