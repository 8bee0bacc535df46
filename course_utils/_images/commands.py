"""The data sets of Kernel by Kernel: what there is of them, fetching them, verifying them.

exit status:
  0  all is well
  1  there was a problem: one line for each on the standard error, with its remedy
  2  the command was called wrongly
  130  it was interrupted; what has come is kept, and the same command goes on from there

environment:
  COURSE_DATA_DIR     folder of the data; the default is your system's cache folder
  COURSE_DATA_MIRROR  an address or a folder that holds NAME/FILE for the published files; it is tried first
  COURSE_DATA         what lessons do (auto, real, sample); these commands do the same whatever it says
"""

import argparse
import os
import shutil
import sys

from .._console import command, forgive
from . import fetch, prepared, sources
from .catalogue import SOURCES

WHICH = f"{', '.join(SOURCES)}, or all"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status. `arguments` are those of the command line by default."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(metavar="list | fetch | verify | where", dest="command", required=True)
    commands.add_parser("list", help="what is known of each data set: files, addresses, licence; and what is here")
    fetcher = commands.add_parser("fetch", help="download data sets, or mend them")
    verifier = commands.add_parser("verify", help="read prepared files and name the copy; all that are here by default")
    commands.add_parser("where", help="print the folder of the data")
    for parsed, number in ((fetcher, "+"), (verifier, "*")):
        parsed.add_argument("names", nargs=number, metavar="NAME", help=WHICH)
    forgive()
    chosen = parser.parse_args(arguments)
    if unknown := set(getattr(chosen, "names", [])) - {*SOURCES, "all"}:
        parser.error(f"NAME must be {WHICH}; got {', '.join(unknown)}")
    try:
        if chosen.command == "where":
            print(sources.folder())
            return 0
        if chosen.command == "list":
            return _list_all()
        here = [name for name in SOURCES if os.path.isfile(sources.path(name))]
        names = list(SOURCES) if "all" in chosen.names else chosen.names or here
        if not names:
            return _report("no prepared file is here", command("course_utils.data", "fetch", "all"))
        return max(map(_fetch if chosen.command == "fetch" else _verify, names))
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    except (ValueError, prepared.DownloadError) as problem:  # of an environment variable
        return _report(str(problem), "set it to a value as above, or unset it.")


def _list_all() -> int:
    for name, source in SOURCES.items():
        print(f"{name}: {source.title}, images {'×'.join(map(str, source.shape))}, {len(source.classes)} classes")
        print(f"  here     {_here(name)}\n  licence  {source.licence}\n  cite     {source.cite}")
        for edition in source.editions:
            for archive in edition.archives:
                print(f"  file     {archive}")
            for address in edition.addresses:
                print(f"  from     {address.base}  ({address.tried})")
    print(f"Folder: {sources.folder()}\nMirror: {os.environ.get('COURSE_DATA_MIRROR') or 'none'}")
    return 0


def _look(name: str) -> tuple[prepared.Prepared | None, str, str]:
    """What the prepared file is; or None, what is wrong with it, and what helps. Nothing is changed."""
    file, again = sources.path(name), command("course_utils.data", "fetch", name)
    if not os.path.isfile(file):
        return None, "is not here", again
    try:
        return prepared.identify(name, file), "", ""
    except prepared.DataError as problem:
        remedy = again if prepared.is_ours(name, file) else "put a sound file in its place, or move it away."
        return None, str(problem).splitlines()[0].rstrip("."), remedy


def _fetch(name: str) -> int:
    file, (identity, problem, remedy) = sources.path(name), _look(name)
    if identity:
        print(f"{name}: {identity.copy}, is here already")
        shutil.rmtree(file.parent / ".downloads" / name, ignore_errors=True)  # what a killed process left
        return 0
    if os.path.isfile(file):
        if not prepared.is_ours(name, file):
            return _report(f"{name}: {problem}", remedy)
        print(f"{name}: was fetched before and is broken now; fetching it again")
    try:
        copy = sources.obtain(name, file, patient=True).copy
    except prepared.DownloadError as error:
        tried = f" ({'; '.join(error.tried)})" if error.tried else ""
        remedy = f"set COURSE_DATA_MIRROR, or put the files that `list` names into {sources.folder() / name}."
        return _report(f"{name}: {error}{tried}", remedy)
    if not os.path.isfile(file):
        return _report(
            f"{name}: could be read and not be kept", "make room, or name another folder in COURSE_DATA_DIR."
        )
    print(f"{name}: {copy}, ready")
    return 0


def _verify(name: str) -> int:
    identity, problem, remedy = _look(name)
    if identity is None:
        return _report(f"{name}: {problem}", remedy)
    print(f"{name}: {identity.copy}, SHA-256 of its arrays {identity.fingerprint}")
    return 0


def _here(name: str) -> str:
    file, (identity, problem, _) = sources.path(name), _look(name)
    if os.path.isfile(file):
        return f"{identity.copy} ({file.name})" if identity else f"broken: {problem}"
    found = fetch.collect(name, file.parent, [])
    return "its archives; they will be read when they are needed" if found else "nothing yet"


def _report(problem: str, remedy: str) -> int:
    print(f"PROBLEM {problem}. Remedy: {remedy}", file=sys.stderr)
    return 1
