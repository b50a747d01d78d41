"""All settings in one frozen value: from options over environment variables over a TOML file over the defaults."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webshell.further import FurtherLink
from webshell.limits import Limits
from webshell.recipes import RECIPES, Recipe
from webshell.runners import RUNNERS, Row, Runner
from webshell.workplace import Workplace

_LEAST = {"scrollback": 128 << 10, "window": 128 << 10}
"""Bytes: a client acknowledges in steps of up to 64 kB; with less than two of them it would wait for itself."""

DEFAULT_LISTEN = ("tcp:8080:interface=127.0.0.1",)


class ConfigError(Exception):
    """A setting is wrong; the text names it and says what would be right."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that an operator may choose; the defaults are safe.

    :ivar listen: Twisted endpoint strings.
    :ivar origins: origins beside our own that pages may connect from, ``https://host[:port]``; their hosts are allowed.
    :ivar hosts: names beside loopback ones that the server answers to, ``name[:port]``.
    :ivar proxies: addresses of reverse proxies (or ``unix``) whose ``X-Forwarded-For`` and ``-Proto`` are believed.
    :ivar token_file: keeps the login token; empty: a new token at each start.
    :ivar auth: Twisted's credential checkers, ``memory:user:password``, ``file:PATH`` …
    :ivar no_auth: let everybody in who reaches a listener.
    :ivar self_signed: the file of a certificate that is made if it is missing; every ``tcp:`` listener then speaks TLS.
    :ivar frame_ancestors: origins whose pages may show ours in a frame.
    :ivar connections: TCP connections at once; of one address, a tenth of them (never less than 100 or the total).
    :ivar limits: of sessions and processes.
    :ivar runners: by name, the built-in ones and those of the file.
    :ivar further_link: serve further-link's clients, too.
    :ivar further: how.
    :ivar recipes: runners of scripts by name, for further-link's clients: the built-in ones and those of the file.
    :ivar users: by a client's identity, the system users that it may run programs as.
    """

    listen: tuple[str, ...] = DEFAULT_LISTEN
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    token_file: str = ""
    auth: tuple[str, ...] = ()
    no_auth: bool = False
    self_signed: str = ""
    frame_ancestors: tuple[str, ...] = ()
    connections: int = 1000
    limits: Limits = field(default_factory=Limits)
    runners: Mapping[str, Runner] = field(default_factory=lambda: dict(RUNNERS))
    further_link: bool = False
    further: FurtherLink = field(default_factory=FurtherLink)
    recipes: Mapping[str, Recipe] = field(default_factory=lambda: dict(RECIPES))
    users: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def connections_of_address(self) -> int:
        """TCP connections at once from one address."""
        return min(self.connections, max(100, self.connections // 10))


def load(options: Mapping[str, object], environment: Mapping[str, str], file: str = "") -> Config:
    """The configuration.

    :param options: settings from the command line, by field name; None and empty values were not given.
    :param environment: ``WEBSHELL_`` + a field's name in capitals; lists are separated by blanks.
    :param file: a TOML file; empty: ``WEBSHELL_CONFIG``, else none.
    :raises ConfigError: something is wrong.
    """
    file = file or environment.get("WEBSHELL_CONFIG", "")
    settings = _from_file(Path(file)) if file else {}
    for name, read in _READERS.items():
        variable = f"WEBSHELL_{name.upper()}"
        if variable in environment:
            value: object = environment[variable]
            settings[name] = read(variable, value.split() if read is _words and isinstance(value, str) else value)
        if options.get(name):
            settings[name] = read("--" + name.replace("_", "-"), options[name])
    if not settings.get("listen", DEFAULT_LISTEN):
        raise ConfigError("listen is empty: name at least one endpoint")
    return Config(**settings)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"the configuration file cannot be read: {error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    settings: dict[str, Any] = {}
    for name, value in table.items():
        read = {**_READERS, **_TABLES}.get(name)
        if read is None:
            known = ", ".join(sorted([*_READERS, *_TABLES]))
            raise ConfigError(f"{path}: there is no setting {name!r}; there are: {known}")
        settings[name] = read(f"{path}: {name}", value)
    return settings


def _words(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise ConfigError(f"{name} must be a list of strings")
    return tuple(value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be a string")
    return value


def _flag(name: str, value: object) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
    if isinstance(value, bool | int) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    raise ConfigError(f"{name} must be true or false")


def _count(name: str, value: object) -> int:
    try:
        number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else 0
    except ValueError:
        number = 0
    if number < 1:
        raise ConfigError(f"{name} must be a whole number of at least 1")
    return number


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise ConfigError(f"{name} must be a number of seconds")
    return float(value)


def _limits(name: str, value: object) -> Limits:
    if not isinstance(value, dict):
        raise ConfigError(f"{name} must be a table")
    known = {field.name: field.type for field in dataclasses.fields(Limits)}
    for key in value:
        if key not in known:
            raise ConfigError(f"{name}: there is no limit {key!r}; there are: {', '.join(known)}")
    read: dict[str, Any] = {
        key: (_seconds if known[key] == "float" else _count)(f"{name}.{key}", v) for key, v in value.items()
    }
    for key, least in _LEAST.items():
        if read.get(key, least) < least:
            raise ConfigError(f"{name}.{key} must be at least {least}")
    return Limits(**read)


def _runners(name: str, value: object) -> Mapping[str, Runner]:
    if not isinstance(value, dict):
        raise ConfigError(f"{name} must be a table of tables: [runners.NAME]")
    runners: dict[str, Runner] = dict(RUNNERS)
    for runner, row in value.items():
        where = f"{name}.{runner}"
        if runner in RUNNERS:
            raise ConfigError(f"{where}: there is a built-in runner of this name")
        if not isinstance(row, dict) or not row.keys() <= {"argv", "pty", "cwd", "env"}:
            raise ConfigError(f"{where} may have 'argv', 'pty', 'cwd' and 'env'")
        argv = _words(f"{where}.argv", row.get("argv"))
        if not argv:
            raise ConfigError(f"{where}.argv is empty")
        env = _environment(f"{where}.env", row.get("env", {}))
        runners[runner] = Row(
            argv, _flag(f"{where}.pty", row.get("pty", False)), _text(f"{where}.cwd", row.get("cwd", "")), env
        )
    return runners


def _members(where: str, value: object, readers: Mapping[str, Callable[[str, object], Any]]) -> dict[str, Any]:
    """A table whose members *readers* read."""
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be a table")
    for name in value:
        if name not in readers:
            raise ConfigError(f"{where}: there is no setting {name!r}; there are: {', '.join(readers)}")
    return {name: readers[name](f"{where}.{name}", text) for name, text in value.items()}


def _further(name: str, value: object) -> FurtherLink:
    read = _members(name, value, _FURTHER)
    places = {field.name: read.pop(field.name) for field in dataclasses.fields(Workplace) if field.name in read}
    return FurtherLink(workplace=Workplace(**places), **read)


def _recipes(name: str, value: object) -> Mapping[str, Recipe]:
    if not isinstance(value, dict):
        raise ConfigError(f"{name} must be a table of tables: [recipes.NAME]")
    recipes = dict(RECIPES)
    for recipe, row in value.items():
        read = _members(f"{name}.{recipe}", row, _RECIPE)
        if not read.get("argv"):
            raise ConfigError(f"{name}.{recipe}.argv is empty")
        recipes[recipe] = Recipe(**read)
    return recipes


def _users(name: str, value: object) -> Mapping[str, frozenset[str]]:
    if not isinstance(value, dict):
        raise ConfigError(f"{name} must be a table: identity = [system users]")
    return {identity: frozenset(_words(f"{name}.{identity}", users)) for identity, users in value.items()}


def _environment(name: str, value: object) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ConfigError(f"{name} must be a table of strings")
    return value


_FURTHER: Mapping[str, Callable[[str, object], Any]] = {
    "work": _text,
    "temp": _text,
    "venv": _text,
    "make_venv": _flag,
    "user": _text,
    "cross_site": _flag,
    "approval": _flag,
    "approval_seconds": _seconds,
    "url_files": _flag,
    "url_hosts": _words,
}

_RECIPE: Mapping[str, Callable[[str, object], Any]] = {
    "argv": _words,
    "suffix": _text,
    "build": _words,
    "env": _environment,
    "cwd": _text,
    "probe": _words,
    "script": _flag,
    "venv": _flag,
}

_TABLES: Mapping[str, Callable[[str, object], Any]] = {
    "further": _further,
    "limits": _limits,
    "recipes": _recipes,
    "runners": _runners,
    "users": _users,
}

_READERS: Mapping[str, Callable[[str, object], object]] = {
    "listen": _words,
    "origins": _words,
    "hosts": _words,
    "proxies": _words,
    "token_file": _text,
    "auth": _words,
    "no_auth": _flag,
    "self_signed": _text,
    "frame_ancestors": _words,
    "connections": _count,
    "further_link": _flag,
}
