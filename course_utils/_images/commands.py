"""`python -m course_utils.data`: what there is of the data sets, fetching them, verifying them."""

import argparse
import os
import shutil
import sys

from . import fetch, prepared, sources
from .catalogue import SOURCES

HELP = """exit status:
  0  all is well
  1  there was a problem: one line for each on the standard error, with its remedy
  2  the command was called wrongly
  130  it was interrupted; what has come is kept, and the same command goes on from there

environment:
  COURSE_DATA_DIR     folder of the data; the default is your system's cache folder
  COURSE_DATA_MIRROR  an address or a folder that holds NAME/FILE for the published files; it is tried first
  COURSE_DATA         what lessons do (auto, real, sample); these commands do the same whatever it says
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status. `arguments` are those of the command line by default."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.data",
        epilog=HELP,
        description="The data sets of Kernel by Kernel.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="list | fetch | verify | where", dest="command", required=True)
    names = {"type": _known, "metavar": "NAME", "help": f"{', '.join(SOURCES)}, or all"}
    commands.add_parser("list", help="what is known of each data set: files, addresses, licence; and what is here")
    commands.add_parser("fetch", help="download data sets, or mend them").add_argument("names", nargs="+", **names)
    verifier = commands.add_parser("verify", help="read prepared files and name the copy; all that are here by default")
    verifier.add_argument("names", nargs="*", **names)
    commands.add_parser("where", help="print the folder of the data")
    chosen = parser.parse_args(arguments)
    wanted = list(SOURCES) if "all" in getattr(chosen, "names", []) else getattr(chosen, "names", [])
    try:
        if chosen.command == "where":
            print(sources.folder())
            return 0
        return {"list": _list_all, "fetch": _fetch_all, "verify": _verify_all}[chosen.command](wanted)
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    except ValueError as problem:  # of an environment variable
        return _report(str(problem), "set it to a value as above, or unset it")


def _list_all(_) -> int:
    """Print what is known of each data set, and what is here of it."""
    for name, source in SOURCES.items():
        print(f"{name}: {source.title}, images {'×'.join(map(str, source.shape))}, {len(source.classes)} classes")
        print(f"  here     {_here(name)}")
        print(f"  licence  {source.licence}")
        print(f"  cite     {source.cite}")
        for edition in source.editions:
            for archive in edition.archives:
                print(f"  file     {archive.file}  {archive.size:,} bytes  md5 {archive.md5}")
            for address in edition.addresses:
                print(f"  from     {address.base}  ({address.tried})")
    print(f"Folder: {sources.folder()}\nMirror: {os.environ.get('COURSE_DATA_MIRROR') or 'none'}")
    return 0


def _fetch_all(names) -> int:
    """Fetch each data set that is not here yet, and mend those that were fetched and are broken now."""
    return max(_fetch(name) for name in names)


def _verify_all(names) -> int:
    """Read each prepared file and print the name of the copy, or what is wrong with it. Nothing is changed."""
    names = names or [name for name in SOURCES if sources.available(name)]
    if not names:
        return _report("no prepared file is here", "python -m course_utils.data fetch all")
    return max(_verify(name) for name in names)


def _known(name):
    if name not in (*SOURCES, "all"):
        raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(SOURCES)}, all")
    return name


def _fetch(name):
    file = sources.path(name)
    try:
        if file.is_file():
            try:
                print(f"{name}: {prepared.identify(name, file).copy}, is here already")
                shutil.rmtree(file.parent / ".downloads" / name, ignore_errors=True)  # what a killed process left
                return 0
            except prepared.DataError as problem:
                if not prepared.is_ours(name, file):
                    return _report(f"{name}: {_first_line(problem)}", "put a sound file there, or move it away")
                print(f"{name}: was fetched before and is broken now; fetching it again")
        copy = sources.obtain(name, file, patient=True).copy
    except prepared.DownloadError as problem:
        tried = f" ({'; '.join(problem.tried)})" if problem.tried else ""
        return _report(
            f"{name}: {problem}{tried}",
            f"set COURSE_DATA_MIRROR, or put the files that `list` names into {sources.folder() / name}",
        )
    if not file.is_file():
        return _report(f"{name}: could be read and not be kept", "make room, or name another folder in COURSE_DATA_DIR")
    print(f"{name}: {copy}, ready")
    return 0


def _verify(name):
    file = sources.path(name)
    if not file.is_file():
        return _report(f"{name}: is not here", f"python -m course_utils.data fetch {name}")
    try:
        copy, fingerprint = prepared.identify(name, file)
    except prepared.DataError as problem:
        ours = prepared.is_ours(name, file)
        return _report(
            f"{name}: {_first_line(problem)}",
            f"python -m course_utils.data fetch {name}" if ours else "put a sound file in its place, or move it away",
        )
    print(f"{name}: {copy}, SHA-256 of its arrays {fingerprint}")
    return 0


def _here(name):
    file = sources.path(name)
    if file.is_file():
        try:
            return f"{prepared.identify(name, file).copy} ({file.name})"
        except prepared.DataError as problem:
            return f"broken: {_first_line(problem)}"
    if fetch.at_hand(name, file.parent, []):
        return "its archives; they will be read when they are needed"
    return "nothing yet"


def _report(problem, remedy):
    print(f"PROBLEM {problem}. Remedy: {remedy}.", file=sys.stderr)
    return 1


def _first_line(problem):
    return str(problem).splitlines()[0].rstrip(".")
