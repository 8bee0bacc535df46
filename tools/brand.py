"""Give the course another address: `make brand REPO=owner/name`.

The address stands in `_config.yml` alone; the setup cell of each lesson gets it from there.
"""

import re
import sys

from tools.common import ROOT, manuscripts, read, tokens, write
from tools.notebooks import pair


def brand(repository: str) -> None:
    is_address = re.fullmatch(r"[A-Za-z0-9](-?[A-Za-z0-9])*/[A-Za-z0-9._-]*[A-Za-z0-9_-]", repository)
    if not is_address or repository.endswith(".git"):
        sys.exit(f"REPO must be the owner and the name of a GitHub repository, such as owner/name, not {repository!r}.")
    config, [owner, name] = ROOT / "_config.yml", repository.split("/")
    old_owner, old_name = tokens()["repository"].split("/")
    text = read(config).replace(f"github.com/{old_owner}/{old_name}", f"github.com/{repository}")
    write(config, text.replace(f"{old_owner}.github.io/{old_name}", f"{owner}.github.io/{name}"))
    for lesson in manuscripts():
        pair(lesson)
    print(f"The course's address is now {tokens()['url']}")


if __name__ == "__main__":
    brand(sys.argv[1])
