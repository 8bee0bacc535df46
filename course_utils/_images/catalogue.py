"""What is known of each data set before a file is opened: classes, licence, published archives and their addresses.

The table itself is `catalogue.toml`, beside this module.
"""

import tomllib
from dataclasses import dataclass
from typing import NamedTuple

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


@dataclass(frozen=True)
class Edition:
    """One way in which a data set was published: `form` ("idx", "binary" or "python") says how it is read."""

    form: str
    archives: tuple[Archive, ...]
    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class Source:
    """A data set: its title, the shape of an image, the names of its classes, its terms, the copies that are known by
    their hash, and its editions, the one to be preferred first."""

    title: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    licence: str
    cite: str
    copies: dict[str, str]
    editions: tuple[Edition, ...]


def _edition(form, archives, addresses):
    archives = tuple(Archive(**archive) for archive in archives)
    return Edition(form, archives, tuple(Address(**address) for address in addresses))


def _source(shape, classes, editions, **facts):
    editions = tuple(_edition(**edition) for edition in editions)
    return Source(shape=tuple(shape), classes=tuple(classes), editions=editions, **facts)


_table = tomllib.loads(resource("_images/catalogue.toml").read_text(encoding="utf-8"))
SOURCES = {name: _source(**facts) for name, facts in _table.items()}
