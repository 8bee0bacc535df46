"""What is known of each data set before a file is opened: classes, licence, published archives and their addresses.

The table itself is `catalogue.toml`, beside this module.
"""

import tomllib
from typing import Any, NamedTuple

from .._files import resource


class Address(NamedTuple):
    """Where archives can be had: the file's name is put behind `base`. `tried` is the day when that was last seen to
    work from this project, or "untested"."""

    base: str
    tried: str = "untested"


class Archive(NamedTuple):
    """A published file: its name, its length in bytes, and its MD5 sum in hex."""

    file: str
    size: int
    md5: str

    def __str__(self) -> str:
        return f"{self.file}  {self.size:,} bytes  md5 {self.md5}"


class Edition(NamedTuple):
    """One way in which a data set was published: `form` ("idx", "binary" or "python") says how it is read."""

    form: str
    archives: tuple[Archive, ...]
    addresses: tuple[Address, ...]


class Source(NamedTuple):
    """A data set: its title, the shape of an image, the names of its classes, its terms, where torchvision keeps its
    archives, the copies that are known by their hash, and its editions, the one to be preferred first."""

    title: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    licence: str
    cite: str
    torchvision: str
    copies: dict[str, str]
    editions: tuple[Edition, ...]


def _edition(form: str, archives: list[dict], addresses: list[dict]) -> Edition:
    published = tuple(Archive(**archive) for archive in archives)
    return Edition(form, published, tuple(Address(**address) for address in addresses))


def _source(shape: list[int], classes: list[str], editions: list[dict], **facts: Any) -> Source:
    read = tuple(_edition(**edition) for edition in editions)
    return Source(shape=tuple(shape), classes=tuple(classes), editions=read, **facts)


def say(text: str, name: str, **facts: object) -> str:
    """One of the texts of `words.toml` about a data set, with the facts of the case."""
    return _words[text].format(name=name, title=SOURCES[name].title, **facts)


_words = tomllib.loads(resource("_images/words.toml").read_text(encoding="utf-8"))
_table = tomllib.loads(resource("_images/catalogue.toml").read_text(encoding="utf-8"))
SOURCES = {name: _source(**facts) for name, facts in _table.items()}
