"""The architecture: who imports whom, over the source of every module of the package."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import webshell

ROOT = Path(webshell.__file__).parent

LAYERS: dict[int, tuple[str, ...]] = {
    # what can go wrong on purpose; the vocabulary; what a place is
    0: ("", "uploads", "errors", "command", "records", "messages", "grant", "limits", "target"),
    # pure parts: Start to Command, bytes with offsets, codecs
    1: (
        *("runners", "recipes", "workplace", "further"),
        *("modes", "scrollback", "gather", "intake", "feed", "ended", "cursor", "channels", "dialects"),
    ),
    # the state
    2: ("house", "process", "session", "sessions"),
    # one client's end
    3: ("connection", "readers", "executions"),
    # places; here Twisted begins
    4: ("targets",),
    # the web
    5: ("web",),
    # how it is configured, and what listening needs
    6: ("certificate", "config", "handed", "listening"),
    # where everything is joined
    7: ("service", "service_further"),
    # what is started
    8: ("tap", "__main__", "cli", "execnet"),
    # what runs in a child: it must work without us
    9: ("child",),
}
"""The layer of each module, and of each folder with all that is in it."""


def modules() -> set[str]:
    paths = (path.relative_to(ROOT).with_suffix("") for path in ROOT.rglob("*.py"))
    return {
        ".".join(path.parts).removesuffix("__init__").removesuffix(".") for path in paths if path.parts[0] != "static"
    }


TABLE = {name: layer for layer, names in LAYERS.items() for name in names}
LAYER = {name: TABLE.get(name, TABLE.get(name.partition(".")[0], -1)) for name in modules()}

CORE = [name for name, layer in LAYER.items() if 0 <= layer <= 3]
CHILD = [name for name, layer in LAYER.items() if layer == 9]

MAX_LINES = 305
LONG = {"messages": "the vocabulary: two closed unions in one file"}

REACTOR_HOLDERS = {"service", "tap", "__main__", "cli.main"}


def path_of(name: str) -> Path:
    path = ROOT.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported(name: str) -> Iterator[str]:
    """The dotted names that the module imports, at its top or inside a function, but not for type checkers only."""
    tree = ast.parse(path_of(name).read_text("utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports relatively"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(name: str) -> set[str]:
    """The modules of the package that the module imports."""
    found = set()
    for dotted in imported(name):
        first, _, rest = dotted.partition(".")
        if first == "webshell":
            found.add(rest if rest in LAYER else rest.rpartition(".")[0])
    return found


def theirs(name: str) -> set[str]:
    """The top-level packages of others that the module imports."""
    return {dotted.partition(".")[0] for dotted in imported(name)} - {"webshell"}


def test_every_package_is_packed() -> None:
    """Read, not run: against a wheel, what lacks would be missed here, too."""
    setup = Path(__file__).parents[1].joinpath("setup.py").read_text("utf-8")
    folders = {path.parent for path in Path(__file__).parents[1].joinpath("webshell").rglob("__init__.py")}
    names = {".".join(folder.relative_to(Path(__file__).parents[1]).parts) for folder in folders}
    assert {name for name in names if f'"{name}",' not in setup} == set()


def test_every_module_has_a_layer() -> None:
    assert {name for name, layer in LAYER.items() if layer < 0} == set()
    assert TABLE.keys() <= LAYER.keys()


@pytest.mark.parametrize("name", sorted(LAYER))
def test_imports_point_down(name: str) -> None:
    assert {other for other in ours(name) if LAYER[other] > LAYER[name]} == set()


def test_there_are_no_cycles() -> None:
    left = {name: ours(name) - {name} for name in LAYER}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


@pytest.mark.parametrize("name", sorted(CORE))
def test_the_core_imports_the_standard_library_only(name: str) -> None:
    assert theirs(name) <= sys.stdlib_module_names


@pytest.mark.parametrize("name", sorted(CHILD))
def test_what_runs_in_a_child_needs_nothing_of_ours(name: str) -> None:
    assert theirs(name) <= sys.stdlib_module_names
    assert ours(name) == set()


def test_the_package_itself_holds_the_version_only() -> None:
    docstring, version = ast.parse(path_of("").read_text("utf-8")).body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(version, ast.Assign)
    assert [ast.unparse(target) for target in version.targets] == ["__version__"]


@pytest.mark.parametrize("name", sorted(LAYER.keys() - LONG.keys()))
def test_a_module_fits_in_one_head(name: str) -> None:
    assert len(path_of(name).read_text("utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("name", sorted(LAYER))
def test_a_module_opens_with_one_sentence(name: str) -> None:
    docstring = ast.get_docstring(ast.parse(path_of(name).read_text("utf-8")))
    assert docstring
    assert docstring.splitlines()[0].endswith(".")


def test_one_module_at_each_end_knows_autobahn() -> None:
    assert [name for name in sorted(LAYER) if "autobahn" in theirs(name)] == ["cli.transport", "web.websocket"]


@pytest.mark.parametrize(
    "name", ["cli.client", "cli.outbox", "cli.address", "cli.terminal", "cli.tokens", "cli.trouble", "cli.trust"]
)
def test_the_commands_protocol_is_plain_python(name: str) -> None:
    assert theirs(name) <= sys.stdlib_module_names


def test_the_reactor_comes_in_by_the_door() -> None:
    holders = {name for name in LAYER if "twisted.internet.reactor" in imported(name)}
    assert holders <= REACTOR_HOLDERS


def test_the_table_would_be_noticed() -> None:
    """The readers above see what they must: else all of this would be satisfied by an empty answer."""
    assert {"cursor", "scrollback", "messages"} <= ours("process")
    assert "twisted" in theirs("web.websocket")
