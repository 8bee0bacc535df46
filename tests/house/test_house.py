"""What must agree between files that lie apart: address, version, requirements, names, the list of tasks."""

import ast
import graphlib
import json
import re
import subprocess
import tomllib
from functools import cache
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement

from tests.checkout import site_extension
from tools.common import ROOT, lessons, manuscripts, project_files, read, read_notebook, setup_cell, tokens
from tools.needs import imports
from tools.provenance import find_module

PACKAGE = ROOT / "course_utils"
SCRIPTS = [path for folder in ("tools", "experiments", "book/_ext") for path in (ROOT / folder).glob("*.py")]
MANUSCRIPT = [ROOT / "book" / f"{name}.py" for name in manuscripts()]


def requirements():
    lines = [line.split("#")[0].strip() for line in read(ROOT / "requirements.txt").splitlines()]
    return [Requirement(line) for line in lines if line]


# Public names whose first lesson is still to be written: {"occlusion": "13_inside"}.
AWAITED: dict[str, str] = {}


@cache
def uses(path):
    """What of the package a Python file uses, as `module.name`, with its imports resolved: a name that only sounds the
    same is none."""
    import course_utils

    tree, modules, found = ast.parse(read(path)), {"course_utils": ""}, set()
    inside = path.is_relative_to(PACKAGE)
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level and inside:
            package = path.relative_to(PACKAGE).parent.parts
            home = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
        elif (node.module or "").split(".")[0] == "course_utils":
            home = node.module.removeprefix("course_utils").strip(".")
        else:
            continue
        for alias in node.names:
            found.add(f"{home}.{alias.name}" if home else f"{course_utils._HOME.get(alias.name, '')}.{alias.name}")
            modules[alias.asname or alias.name] = ".".join(filter(None, [home, alias.name]))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            base = ast.unparse(node.value)
            if base in modules:
                home = modules[base] or course_utils._HOME.get(node.attr, "")
                found.add(f"{home}.{node.attr}")
            elif base.startswith("course_utils."):
                found.add(f"{base.removeprefix('course_utils.')}.{node.attr}")
    return found


@cache
def names_in(path):
    """All names that a Python file mentions."""
    return {node.id for node in ast.walk(ast.parse(read(path))) if isinstance(node, ast.Name)}


@cache
def imported():
    """The top-level modules that our code imports."""
    modules = set()
    for path in [*PACKAGE.rglob("*.py"), *SCRIPTS, *MANUSCRIPT, *(ROOT / "tests").rglob("*.py")]:
        modules |= set(re.findall(r'importorskip\("(\w+)', read(path)))
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module.split(".")[0])
    return modules


installed = cache(metadata.packages_distributions)


def public_definitions():
    for path in sorted(PACKAGE.glob("[a-z]*.py")):
        for node in ast.parse(read(path)).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield pytest.param(path, node, id=f"{path.stem}.{node.name}")


@pytest.mark.parametrize(("path", "node"), list(public_definitions()))
def test_public_names_of_course_utils_are_used(path, node):
    """By a lesson, a script or another module; a class also by its own module, which returns or raises it."""
    others = [*PACKAGE.rglob("*.py"), *SCRIPTS, *MANUSCRIPT]
    used = set().union(*(uses(other) for other in others if other not in (path, PACKAGE / "__init__.py")))
    if isinstance(node, ast.ClassDef):
        used |= {f"{path.stem}.{name}" for name in names_in(path)}
    if f"{path.stem}.{node.name}" not in used and AWAITED.get(node.name) in set(AWAITED.values()) - set(lessons()):
        pytest.skip(f"awaits lesson {AWAITED[node.name]}")
    assert f"{path.stem}.{node.name}" in used


def test_imports_run_in_no_circle():
    """Not even one that is hidden inside functions."""
    graph = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        imported = imports(ast.parse(read(path)), package)
        graph[name] = {other for other in imported if find_module(other)} - {"course_utils", name}
    graph["course_utils"] = set()  # its lazy names are loaded when they are asked for
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) >= 30


def test_each_lazy_name_exists():
    import course_utils

    for name in course_utils._HOME.keys() | course_utils._MODULES:
        assert getattr(course_utils, name) is not None


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.name)
def test_each_requirement_is_used(requirement):
    """Imported by our code, called by make, or named in the settings."""
    modules = {module for module, owners in installed().items() if requirement.name in owners}
    scripts = metadata.distribution(requirement.name).entry_points.select(group="console_scripts")
    calls = read(ROOT / "Makefile") + "".join(read(path) for path in (ROOT / "tools").glob("*.py"))
    called = any(re.search(rf'(/|"){re.escape(script.name)}\b', calls) for script in scripts)
    settings = read(ROOT / "pyproject.toml") + read(ROOT / "_config.yml")
    settings = "\n".join(line for line in settings.splitlines() if "dependencies" not in line and ">=" not in line)
    assert modules & imported() or called or requirement.name in settings


def test_each_requirement_has_a_reason():
    for line in read(ROOT / "requirements.txt").splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r"\S+ +# \S.+", line), line


def test_the_tested_set_holds_every_requirement():
    pins = dict(line.split("==") for line in read(ROOT / "constraints.txt").splitlines() if "==" in line)
    pins = {name.lower(): version for name, version in pins.items()}
    for requirement in requirements():
        assert requirement.specifier.contains(pins[requirement.name.lower()], prereleases=True)


def test_the_package_asks_for_what_the_requirements_ask():
    asked = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["dependencies"]
    ranges = {requirement.name: requirement.specifier for requirement in requirements()}
    assert {Requirement(line).name: Requirement(line).specifier for line in asked}.items() <= ranges.items()


def test_each_lesson_needs_packages_that_are_required():
    names = {requirement.name for requirement in requirements()}
    for lesson in manuscripts():
        packages = tomllib.loads(read(PACKAGE / "needs" / f"{lesson}.toml"))["packages"]
        assert {Requirement(line).name for line in packages} <= names - {"torch", "torchvision"}


def without_mirror(text):
    """A text without the second address of the archive, in which the same names may stand."""
    text = re.sub(r"(?m)^  mirror: .*$", "", text)
    for part in re.findall(r'"[^"]+"', tokens()["mirror"]):
        text = text.replace(part, "").replace(part.replace('"', '\\"'), "")
    return text


def test_the_address_stands_in_one_place():
    address, places = tokens()["repository"], []
    for path in project_files():
        if path.suffix not in {".png", ".svg", ".npz"} and (count := without_mirror(read(path)).count(address)):
            places.append((path.relative_to(ROOT).as_posix(), count))
    assert without_mirror(setup_cell()).count(address) == 1
    assert sorted(places) == sorted(
        [("_config.yml", 1), *((f"notebooks/{lesson}.ipynb", 1) for lesson in manuscripts())]
    )


def test_version_tag_and_launch_links_agree():
    import course_utils

    tag, version = tokens()["tag"], course_utils.__version__
    assert tag == f"v{version}" and f'VERSION, REPOSITORY = "{version}",' in setup_cell()
    links = dict(site_extension().launch_links(tokens()["url"], "06_lenet"))
    assert f"/blob/{tag}/" in links["Open in Colab"] and f"/{tag}?" in links["Binder"]
    assert yaml.safe_load(read(ROOT / "CITATION.cff"))["version"] == version


def test_citation_codemeta_and_the_package_say_the_same():
    citation, codemeta = yaml.safe_load(read(ROOT / "CITATION.cff")), json.loads(read(ROOT / "codemeta.json"))
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    assert citation["title"] == f"{codemeta['name']}: {codemeta['description']}"
    assert (codemeta["name"], codemeta["version"]) == (tokens()["title"], citation["version"])
    authors = [author["name"] for author in citation["authors"]]
    assert authors == [author["name"] for author in codemeta["author"]] == [tokens()["author"]]
    assert codemeta["license"] == [f"https://spdx.org/licenses/{name}" for name in citation["license"]]
    assert project["license"] == "MIT" and citation["keywords"] == codemeta["keywords"] == project["keywords"]
    supported = re.findall(r"Python :: (3\.\d+)", str(project["classifiers"]))
    assert supported == re.findall(r"3\.\d+", codemeta["runtimePlatform"]) == ["3.11", "3.12", "3.13"]
    assert "(3, 11) <= v[:2] <= (3, 13)" in read(ROOT / "Makefile")


def test_the_development_container_has_what_make_asks_for():
    container = json.loads(read(ROOT / ".devcontainer" / "devcontainer.json"))
    image = read(ROOT / ".devcontainer" / container["build"]["dockerfile"])
    [version] = re.findall(r"^FROM python:(3\.\d+)-", image, re.MULTILINE)
    assert f'"Programming Language :: Python :: {version}"' in read(ROOT / "pyproject.toml")
    assert f"python={version}" in read(ROOT / "binder" / "environment.yml")
    task = container["postCreateCommand"].split()
    assert task[0] == "make" and re.search(rf"^{task[1]}:.*\.venv/\.ready", read(ROOT / "Makefile"), re.MULTILINE)


def test_every_task_of_make_is_listed_by_help():
    text = read(ROOT / "Makefile")
    tasks = set(re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)[1].split())
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make (\S+) +\S", shown, re.MULTILINE)) == tasks
    assert {"book", "test", "notebooks", "lab", "serve", "calibrate", "brand", "clean", "help"} <= tasks


def test_each_tool_says_what_it_is_for():
    for path in (ROOT / "tools").glob("*.py"):
        assert ast.get_docstring(ast.parse(read(path))), path


def test_no_lesson_is_left_out_of_the_table_of_contents():
    listed = re.findall(r"^ *- file: notebooks/(\S+)", read(ROOT / "_toc.yml"), re.MULTILINE)
    assert listed == manuscripts()


def test_notebooks_are_valid():
    import nbformat

    for lesson in manuscripts():
        nbformat.validate(read_notebook(ROOT / "notebooks" / f"{lesson}.ipynb"))


def test_commands_to_paste_name_the_running_python():
    """A message that holds a command gets it from `_console.command`; texts that only name a command are listed."""
    names_only = (
        "python -m course_utils.data",
        "python -m course_utils.training",
        "Recorded on ",
        " by python -m experiments.",
    )
    found = []
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tools").glob("*.py")]:
        tree = ast.parse(read(path))
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        docstrings = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            is_command = re.search(r"\b(python3?|pip) (-m|install)\b", text) and text not in docstrings
            if is_command and text not in names_only and not text.startswith(names_only[1:]):
                found.append((path.name, text))
    assert not found
