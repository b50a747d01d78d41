"""Settings from four places, each of them read, and each mistake told by its name."""

from __future__ import annotations

import dataclasses
import re
from contextlib import suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webshell.config import DEFAULT_LISTEN, Config, ConfigError, load
from webshell.further import FurtherLink
from webshell.limits import Limits
from webshell.messages import Start
from webshell.recipes import RECIPES, Recipe
from webshell.runners import RUNNERS
from webshell.tap import Options
from webshell.workplace import Workplace

SETTINGS: dict[str, tuple[Any, Any, Any]] = {
    # by name: as an option, in the environment, in a file; each differs
    "listen": (["tcp:1"], ("tcp:2", "tcp:3"), ["tcp:4"]),
    "origins": (["https://a.example"], ("https://b.example",), ["https://c.example"]),
    "hosts": (["a"], ("b", "c"), ["d"]),
    "proxies": (["127.0.0.1"], ("unix",), ["::1"]),
    "token_file": ("a", "b", "c"),
    "auth": (["memory:a:b"], ("memory:c:d",), ["memory:e:f"]),
    "no_auth": (1, False, True),
    "self_signed": ("a.pem", "b.pem", "c.pem"),
    "frame_ancestors": (["https://a.example"], ("https://b.example",), ["https://c.example"]),
    "connections": ("10", 20, 30),
    "further_link": (1, False, True),
}


OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.rst").read_text("utf-8")


def write(folder: Path, text: str) -> str:
    path = folder / "webshell.toml"
    path.write_text(text, "utf-8")
    return str(path)


def toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def in_environment(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


def read(option: object) -> object:
    """An option's value as the configuration has it."""
    return tuple(option) if isinstance(option, list) else option


def test_without_anything_the_defaults_hold() -> None:
    assert load({}, {}) == Config()
    assert load(Options(), {}) == Config()
    assert Config().listen == DEFAULT_LISTEN == ("tcp:8080:interface=127.0.0.1",)
    assert not Config().no_auth


def test_every_setting_is_tested_here() -> None:
    assert {*SETTINGS, "limits", "runners", "further", "recipes", "users"} == {
        field.name for field in dataclasses.fields(Config)
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_an_option_goes_before_the_environment_and_that_before_the_file(name: str, tmp_path: Path) -> None:
    option, variable, value = SETTINGS[name]
    file = write(tmp_path, f"{name} = {toml(value)}\n")
    environment = {f"WEBSHELL_{name.upper()}": in_environment(variable)}
    assert getattr(load({}, {}, file), name) == read(value)
    assert getattr(load({}, environment, file), name) == read(variable)
    first = getattr(load({name: option}, environment, file), name)
    assert first == (int(option) if name == "connections" else read(option))


def test_the_environment_may_name_the_file_and_an_option_goes_before_it(tmp_path: Path) -> None:
    environment = {"WEBSHELL_CONFIG": write(tmp_path, 'hosts = ["a"]\n')}
    assert load({}, environment).hosts == ("a",)
    other = tmp_path / "other.toml"
    other.write_text('hosts = ["b"]\n')
    assert load({}, environment, str(other)).hosts == ("b",)


def test_limits_come_from_the_file(tmp_path: Path) -> None:
    wanted = {field.name: number + (128 << 10) for number, field in enumerate(dataclasses.fields(Limits))}
    text = "[limits]\n" + "".join(f"{name} = {value}\n" for name, value in wanted.items())
    assert load({}, {}, write(tmp_path, text)).limits == Limits(**wanted)
    assert load({}, {}, write(tmp_path, "[limits]\ngrace = 0.5\n")).limits == Limits(grace=0.5)


def test_how_clients_of_further_link_are_served_comes_from_the_file(tmp_path: Path) -> None:
    text = """
        [further]
        work = "/srv/work"
        temp = "/srv/temp"
        venv = ".venv"
        make_venv = true
        user = "pi"
        cross_site = true
        approval = true
        approval_seconds = 60
        url_files = true
        url_hosts = ["127.0.0.1:8000"]
        [users]
        operator = ["pi", "root"]
    """
    config = load({}, {}, write(tmp_path, text))
    place = Workplace(work="/srv/work", temp="/srv/temp", venv=".venv", make_venv=True)
    assert config.further == FurtherLink(place, "pi", True, True, 60.0, True, ("127.0.0.1:8000",))
    assert not config.further_link
    assert config.users == {"operator": frozenset({"pi", "root"})}


def test_recipes_of_the_file_join_and_replace_the_built_in_ones(tmp_path: Path) -> None:
    text = """
        [recipes.lua]
        argv = ["lua", "{file}"]
        suffix = ".lua"
        build = ["luac", "{file}"]
        env = {LUA_PATH = "x"}
        cwd = "/srv"
        probe = ["lua", "-v"]
        script = true
        venv = false
        [recipes.node]
        argv = ["node", "--no-warnings", "{file}"]
    """
    recipes = load({}, {}, write(tmp_path, text)).recipes
    assert recipes.keys() == {*RECIPES, "lua"}
    assert recipes["lua"] == Recipe(
        ("lua", "{file}"), ".lua", ("luac", "{file}"), {"LUA_PATH": "x"}, "/srv", ("lua", "-v")
    )
    assert recipes["node"].argv == ("node", "--no-warnings", "{file}")


def test_runners_of_the_file_join_the_built_in_ones(tmp_path: Path) -> None:
    text = """
        [runners.sql]
        argv = ["sqlite3", "-cmd", "{line}"]
        pty = true
        cwd = "/srv"
        env = {PAGER = "cat"}
        [runners.top]
        argv = ["top"]
    """
    runners = load({}, {}, write(tmp_path, text)).runners
    assert runners.keys() == {*RUNNERS, "sql", "top"}
    command = runners["sql"](Start("sql", line="select 1", env={"A": "b"}))
    assert command.argv == ("sqlite3", "-cmd", "select 1")
    assert command.size is not None
    assert (command.cwd, command.env) == ("/srv", {"PAGER": "cat", "A": "b"})
    assert runners["top"](Start("top", argv=("-b",))).argv == ("top", "-b")
    assert runners["top"](Start("top")).size is None


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    found = re.search(r"Only the file has these tables .*::\n\n((?:    .*\n|\n)+)", OPERATIONS)
    assert found
    config = load({}, {}, write(tmp_path, dedent(found[1])))
    assert (config.limits.scrollback, config.limits.linger) == (4 << 20, 3600)
    command = config.runners["sql"](Start("sql", line="shop.db", argv=("-readonly",)))
    assert command.argv == ("sqlite3", "shop.db", "-readonly")
    assert command.size is not None
    assert (command.cwd, command.env) == ("/srv/data", {"PAGER": "cat"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("listen = 'tcp:1'", "listen must be a list of strings"),
        ("listen = [1]", "listen must be a list of strings"),
        ("listen = []", "listen is empty"),
        ("token_file = 1", "token_file must be a string"),
        ("no_auth = 'perhaps'", "no_auth must be true or false"),
        ("no_auth = 2", "no_auth must be true or false"),
        ("connections = 0", "connections must be a whole number of at least 1"),
        ("connections = 1.5", "connections must be a whole number of at least 1"),
        ("connections = true", "connections must be a whole number of at least 1"),
        ("colour = 'red'", "there is no setting 'colour'; there are: auth, connections,"),
        ("limits = 3", "limits must be a table"),
        ("[limits]\nspeed = 1", "there is no limit 'speed'; there are: sessions,"),
        ("[limits]\nsessions = -1", "limits.sessions must be a whole number of at least 1"),
        ("[limits]\nsessions = 1.5", "limits.sessions must be a whole number of at least 1"),
        ("[limits]\nlinger = -1", "limits.linger must be a number of seconds"),
        ("[limits]\nlinger = nan", "limits.linger must be a number of seconds"),
        ("[limits]\ngrace = inf", "limits.grace must be a number of seconds"),
        ("[limits]\ngrace = true", "limits.grace must be a number of seconds"),
        ("[limits]\nscrollback = 1000", "limits.scrollback must be at least 131072"),
        ("[limits]\nwindow = 131071", "limits.window must be at least 131072"),
        ("runners = ['a']", "runners must be a table of tables"),
        ("[runners.sh]\nargv = ['zsh']", "runners.sh: there is a built-in runner of this name"),
        ("[runners]\nx = 1", "runners.x may have 'argv', 'pty', 'cwd' and 'env'"),
        ("[runners.x]\nargs = []", "runners.x may have 'argv', 'pty', 'cwd' and 'env'"),
        ("[runners.x]\npty = true", "runners.x.argv must be a list of strings"),
        ("[runners.x]\nargv = []", "runners.x.argv is empty"),
        ("[runners.x]\nargv = ['a']\npty = 'perhaps'", "runners.x.pty must be true or false"),
        ("[runners.x]\nargv = ['a']\ncwd = 1", "runners.x.cwd must be a string"),
        ("[runners.x]\nargv = ['a']\nenv = {A = 1}", "runners.x.env must be a table of strings"),
        ("further = 1", "further must be a table"),
        ("[further]\nx = 1", "further: there is no setting 'x'; there are: work, temp, venv,"),
        ("[further]\napproval = 'perhaps'", "further.approval must be true or false"),
        ("recipes = 1", "recipes must be a table of tables"),
        ("[recipes]\nx = 1", "recipes.x must be a table"),
        ("[recipes.x]\nsuffix = '.x'", "recipes.x.argv is empty"),
        ("[recipes.x]\nargv = ['a']\nenv = {A = 1}", "recipes.x.env must be a table of strings"),
        ("users = 1", "users must be a table"),
        ("[users]\noperator = 'pi'", "users.operator must be a list of strings"),
        ("listen = [", "webshell.toml: "),
        ("\udcff", "webshell.toml: "),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "webshell.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as error:
        load({}, {}, str(path))
    assert complaint in str(error.value)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read.*No such file"):
        load({}, {}, str(tmp_path / "nothing.toml"))


@pytest.mark.parametrize(
    ("options", "environment", "complaint"),
    [
        ({"connections": "many"}, {}, "--connections must be a whole number of at least 1"),
        ({"connections": "0"}, {}, "--connections must be"),
        ({}, {"WEBSHELL_CONNECTIONS": "-5"}, "WEBSHELL_CONNECTIONS must be"),
        ({}, {"WEBSHELL_NO_AUTH": "maybe"}, "WEBSHELL_NO_AUTH must be true or false"),
        ({}, {"WEBSHELL_LISTEN": " "}, "listen is empty"),
    ],
)
def test_what_is_wrong_elsewhere_is_named(
    options: dict[str, object], environment: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ConfigError) as error:
        load(options, environment)
    assert complaint in str(error.value)


@pytest.mark.parametrize("text", ["1", "true", "Yes", "TRUE"])
def test_a_flag_of_the_environment_is_true_in_several_ways(text: str) -> None:
    assert load({}, {"WEBSHELL_NO_AUTH": text}).no_auth


@pytest.mark.parametrize("text", ["0", "false", "No", ""])
def test_and_false(text: str) -> None:
    assert not load({}, {"WEBSHELL_NO_AUTH": text}).no_auth


@given(st.integers(min_value=1, max_value=10**6))
def test_one_address_gets_a_tenth_of_the_connections_or_a_hundred(connections: int) -> None:
    one = Config(connections=connections).connections_of_address
    assert one <= connections
    assert one == min(connections, max(100, connections // 10))


def rows(columns: int) -> list[list[str]]:
    """The rows of the documentation's tables that begin with a name in double backquotes."""
    table = [re.split(r"\s{2,}", line.strip(), maxsplit=columns - 1) for line in OPERATIONS.splitlines()]
    return [row for row in table if len(row) == columns and re.fullmatch(r"``\w+``", row[0])]


def test_the_documentation_has_every_setting_with_its_option_and_default() -> None:
    documented = {row[0].strip("`"): (row[1].strip("`-"), row[2].strip("`")) for row in rows(4) if "``--" in row[1]}
    assert documented.keys() == SETTINGS.keys()
    flags = {row[0] for row in [*Options.optFlags, *Options.optParameters]}
    for name, (option, default) in documented.items():
        assert option in {name.replace("_", "-"), name.replace("_", "-").removesuffix("s"), "proxy"}
        assert callable(getattr(Options, f"opt_{option.replace('-', '_')}", None)) or option in flags
        value = getattr(Config(), name)
        shown = " ".join(value) if isinstance(value, tuple) else str(value).lower()
        assert default == (shown or "none")


def test_the_documentation_has_every_limit_with_its_default_and_unit() -> None:
    documented = {
        row[0].strip("`"): (float(row[1]), row[2]) for row in rows(4) if row[2] in ("number", "bytes", "seconds")
    }
    defaults = dataclasses.asdict(Limits())
    assert {name: value for name, (value, _) in documented.items()} == defaults
    for name, (_, unit) in documented.items():
        assert (unit == "seconds") == isinstance(defaults[name], float)
        assert (unit == "bytes") == (name in ("scrollback", "window"))
    assert all(f"limits.{name}" in OPERATIONS or f"``{name}``" in OPERATIONS for name in defaults)


def test_the_documented_file_is_one(tmp_path: Path) -> None:
    begin = OPERATIONS.index("    [limits]")
    block = dedent(OPERATIONS[begin : OPERATIONS.index("=====", begin)])
    config = load({}, {}, write(tmp_path, block))
    assert (config.limits.scrollback, config.limits.linger) == (4 << 20, 3600)
    assert config.runners["sql"](Start("sql", line="x.db", argv=("-csv",))).argv == ("sqlite3", "x.db", "-csv")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*SETTINGS]), VALUES))
def test_whatever_an_option_holds_it_is_read_or_refused(options: dict[str, object]) -> None:
    with suppress(ConfigError):
        assert isinstance(load(options, {}), Config)
