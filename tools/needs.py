"""What a lesson needs beyond torch, read off its imports and kept as `course_utils/needs/NN_slug.toml`.

A package that the lesson imports, or that a module of ours imports on its way, is needed, in the range that
`requirements.txt` gives; so are the data sets that the lesson names; a lesson that asks for the `device` runs faster on
a GPU.
"""

import ast
from functools import cache
from importlib import metadata

from packaging.requirements import Requirement

import course_utils
from course_utils._images.catalogue import SOURCES
from tools.common import ROOT, read
from tools.provenance import find_module

OURS_ALREADY = {"torch", "torchvision"}  # never installed by a lesson: the environment brings the build that it needs


@cache
def requirements() -> dict[str, str]:
    """The lines of `requirements.txt` without their reasons, by the modules that each of them installs."""
    lines = [line.split("#")[0].strip() for line in read(ROOT / "requirements.txt").splitlines()]
    modules = {}
    for line in filter(None, lines):
        for file in metadata.files(Requirement(line).name) or []:
            if file.name == "__init__.py" and len(file.parts) == 2:
                modules[file.parts[0]] = line
    return modules


def imports(tree: ast.AST, package: str = "") -> set[str]:
    """All modules that a piece of code imports, wherever in it, and the names that it takes from them."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def mentions(tree: ast.AST) -> set[str]:
    """All names and attributes in a piece of code."""
    nodes = list(ast.walk(tree))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    imported = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    return attributes | imported | {node.id for node in nodes if isinstance(node, ast.Name)}


def parts_in_use(name: str, tree: ast.Module, mentioned: set[str]) -> ast.Module:
    """A module of ours without the public functions that the lesson does not mention: their imports never run."""
    if "._" in name:
        return tree
    body = [
        node
        for node in tree.body
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_") or node.name in mentioned
    ]
    return ast.Module(body, [])


def imported_on_the_way(names: set[str], mentioned: set[str], images: bool) -> set[str]:
    """Everything that `names` import, through our own modules; these may be the package's lazy names."""
    found, waiting = set(), set(names)
    while waiting:
        name = waiting.pop()
        first, _, rest = name.partition(".")
        name = f"course_utils.{course_utils._HOME.get(rest, rest)}" if first == "course_utils" and rest else name
        if name in found or ("._images" in name and not images):
            continue
        found.add(name)
        file = find_module(name) if first == "course_utils" and rest else None
        if file:
            package = name if file.name == "__init__.py" else name.rpartition(".")[0]
            waiting |= imports(parts_in_use(name, ast.parse(read(file)), mentioned), package)
    return found


def data_sets(tree: ast.Module) -> list[str]:
    """The data sets that are named where something is loaded."""
    loads = [statement for statement in tree.body if "load" in mentions(statement)]
    texts = [node.value for statement in loads for node in ast.walk(statement) if isinstance(node, ast.Constant)]
    return [text for text in dict.fromkeys(texts) if text in SOURCES]


def needs(lesson: str) -> dict:
    """What a lesson needs: `{"packages": ["numpy>=1.26", …], "data": ["mnist", …], "gpu_helps": False}`."""
    tree = ast.parse(read(ROOT / "book" / f"{lesson}.py"))
    checks = f"course_utils.checks.l{lesson[:2]}"
    names, mentioned = imports(tree), mentions(tree)
    if file := find_module(checks):
        names.add(checks)
        mentioned |= mentions(ast.parse(read(file)))
    data = data_sets(tree)
    names = imported_on_the_way(names | {"course_utils.setup"}, mentioned | {"setup"}, images=bool(data))
    tops = {name.partition(".")[0] for name in names}
    packages = {requirements()[top] for top in tops if top in requirements()}
    return {
        "packages": sorted(line for line in packages if Requirement(line).name not in OURS_ALREADY),
        "data": data,
        "gpu_helps": "course_utils.device" in imports(tree),
    }


def as_toml(facts: dict) -> str:
    lines = ["# Written by `make notebooks` from the lesson's imports: see tools/needs.py", "packages = ["]
    lines += [f'    "{line}",' for line in facts["packages"]]
    names = ", ".join(f'"{name}"' for name in facts["data"])
    lines += ["]", f"data = [{names}]", f"gpu_helps = {str(facts['gpu_helps']).lower()}"]
    return "\n".join(lines) + "\n"
