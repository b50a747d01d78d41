"""The options of the ``webshell`` command, and how it ends. Twisted is imported only when there is something to do."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

from webshell import __version__
from webshell.cli.address import parse_address
from webshell.cli.places import parse_place, server_of
from webshell.cli.routes import parse_route
from webshell.cli.signals import DEADLY, catch
from webshell.cli.tokens import find_token
from webshell.cli.trouble import Asked, Trouble
from webshell.cli.trust import Trust, pins

COMMANDS = {"run": "run", "attach": "attach", "cp": "cp", "forward": "forward", "ls": "ls", "kill": "kill"}
"""The module of each command; it is imported when it is asked for."""

WORDS = {"cp": "paths", "forward": "routes", "attach": "words", "kill": "words"}
"""Where the last words of a command go; argparse does not know those that follow an option."""

SPARE = {"attach": 1, "kill": 2}
"""How many words these understand, a session first."""

LONGEST_SECONDS = 30 * 86400
"""That a server keeps a session for somebody who has not come back; after that nobody will."""

INTERRUPTED = 130
"""As shells have it after Ctrl-C."""

TOKENS = """\
The token is read from --token-file, the variable WEBSHELL_TOKEN, the file that WEBSHELL_TOKEN_FILE names, or the
keyring (service "webshell", user name: the address, with a slash at its end), in this order; never from an argument."""


def seconds(text: str) -> float:
    """How long *text* is.

    :raises argparse.ArgumentTypeError: it is no time.
    """
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text}: a number of seconds from 0 to {LONGEST_SECONDS}")
    return found


def number(text: str) -> int:
    """Of a process.

    :raises Asked: it is none.
    """
    if not (text.isascii() and text.isdecimal()):
        raise Asked(f"{text}: a process has a number; webshell ls shows it")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """What the command line may be."""
    trust = argparse.ArgumentParser(add_help=False)
    trust.add_argument("--token-file", default="", metavar="FILE", help="a file with the token; only you may read it")
    trust.add_argument("--ca-file", default="", metavar="FILE", help="trust these certificates, not the system's")
    trust.add_argument(
        "--pin", action="append", default=[], metavar="SHA256", help="the server's certificate has this fingerprint"
    )
    trust.add_argument("--plain", action="store_true", help="send the token over http to another machine, readable")
    patient = argparse.ArgumentParser(add_help=False)
    patient.add_argument(
        "--patience", type=seconds, default=60.0, metavar="SECONDS", help="for a lost connection to come back; 60"
    )
    common = argparse.ArgumentParser(add_help=False, parents=[trust])
    common.add_argument("url", metavar="URL", help="https://HOST[:PORT][/PATH], http://… or unix:/PATH/OF/SOCKET")

    whole = argparse.ArgumentParser(
        prog="webshell", description="Programs and terminals of another machine.", epilog=TOKENS
    )
    whole.add_argument("--version", action="version", version=f"webshell {__version__}")
    commands = whole.add_subparsers(dest="what", required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run", parents=[common, patient], allow_abbrev=False, help="a program there, as if it were here", epilog=TOKENS
    )
    run.usage = "webshell run [options] URL -- PROGRAM [ARGUMENT …]"
    run.add_argument("-t", dest="terminal", action="store_true", help="in a terminal")
    run.add_argument("--cwd", default="", metavar="FOLDER", help="where it runs; the home folder")
    run.add_argument("--env", action="append", default=[], metavar="NAME[=VALUE]", help="a variable for it")
    run.add_argument("--name", default="", help="of its session")

    attach = commands.add_parser(
        "attach", parents=[common], allow_abbrev=False, help="a terminal there, in this one", epilog=TOKENS
    )
    attach.usage = "webshell attach [options] URL [SESSION]"
    attach.add_argument("words", nargs="*", metavar="SESSION", help="id or name; without: a new one")
    attach.add_argument("--process", type=int, default=0, metavar="NUMBER", help="not the youngest terminal in it")
    attach.add_argument("--detach-key", default="^]", metavar="KEY", help="leaves; ^] unless given, or none")
    attach.add_argument("--name", default="", help="of a new session")

    cp = commands.add_parser(
        "cp", parents=[trust, patient], allow_abbrev=False, help="copy files there, or here", epilog=TOKENS
    )
    cp.usage = "webshell cp [options] SOURCE … URL:PATH, or webshell cp [options] URL:PATH … HERE"
    cp.add_argument("paths", nargs="*", metavar="PATH", help="here, or URL:PATH, from the home folder there")
    cp.add_argument(
        "-r", dest="tree", action="store_true", help="folders, with all that is in them; links are followed"
    )
    cp.add_argument("-p", dest="keep", action="store_true", help="keep modes and times")
    cp.add_argument("-q", dest="quiet", action="store_true", help="show no progress")

    forward = commands.add_parser(
        "forward",
        parents=[common, patient],
        allow_abbrev=False,
        help="ports here that lead to ports there",
        epilog=TOKENS,
    )
    forward.usage = "webshell forward [options] URL [ADDRESS:]PORT:HOST:PORT …"
    forward.add_argument(
        "routes",
        nargs="+",
        metavar="[ADDRESS:]PORT:HOST:PORT",
        help="a port here, a host and a port there",
    )
    forward.add_argument("--python", default="python3", metavar="PROGRAM", help="there; python3")

    ls = commands.add_parser(
        "ls", parents=[common], allow_abbrev=False, help="the sessions there, and what runs in them"
    )
    ls.add_argument("--json", action="store_true", help="as the protocol has them")

    kill = commands.add_parser("kill", parents=[common], allow_abbrev=False, help="end a session, or a process in it")
    kill.usage = "webshell kill [options] URL SESSION [PROCESS]"
    kill.add_argument(
        "words", nargs="*", metavar="SESSION [PROCESS]", help="id or name, and the number of the process if not all"
    )
    kill.add_argument("--signal", default="", metavar="NAME", help="send this signal instead, like INT")
    return whole


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; what comes after ``--`` is the program, with all that looks like options."""
    own = list(arguments)
    program: list[str] = []
    if "--" in own:
        at = own.index("--")
        own, program = own[:at], own[at + 1 :]
    whole = parser()
    if any(argument.partition("=")[0] == "--token" for argument in own):
        whole.error(
            "everybody on this machine can read command lines: --token-file FILE, or the variable WEBSHELL_TOKEN"
        )
    options, more = whole.parse_known_args(own)
    if options.what == "run" and not program:
        whole.error("run: which program? webshell run URL -- PROGRAM [ARGUMENT …]")
    words: list[str] = vars(options).get(WORDS.get(options.what, ""), [])
    if options.what in WORDS and not any(word.startswith("-") for word in more):
        words += more
        more = words[SPARE[options.what] :] if options.what in SPARE else []
    if more:
        whole.error(f"{options.what}: what is {' '.join(more)}? webshell {options.what} --help says what there is")
    if options.what in SPARE:
        options.session = words[0] if words else ""
    if options.what == "kill":
        options.process = number(words[1]) if len(words) > 1 else 0
    if options.what not in ("run", "cp") and program:
        whole.error(f"{options.what}: nothing can follow --")
    if options.what == "cp":
        options.places = [parse_place(path) for path in [*words, *program]]
        options.url = server_of(options.places)
    if options.what == "forward":
        options.routes = [parse_route(text) for text in words]
    options.command = program
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns the exit status."""
    _occupy()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a help text is better with question marks than not at all
    try:
        options = parsed(sys.argv[1:] if arguments is None else arguments)
        address = parse_address(options.url)
        token = find_token(address, options.token_file, os.environ)
        return _run(options, address, token)
    except Trouble as trouble:
        return told(trouble)
    except KeyboardInterrupt:
        return INTERRUPTED


def _occupy() -> None:
    """Whatever is opened first would else be taken for a stream that we were started without."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # print() would write errors to the standard output
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r", closefd=False))


def told(trouble: Trouble) -> int:
    """Say what went wrong. Returns the status to end with."""
    try:
        print(f"webshell: {trouble}", file=sys.stderr)
    except OSError:
        pass  # nobody listens
    return trouble.status


def _run(options: argparse.Namespace, address: Any, token: str) -> int:
    from twisted.internet import reactor as installed  # importing it installs it
    from twisted.internet.defer import Deferred

    from webshell.cli.transport import Door

    reactor: Any = installed
    command = importlib.import_module(f"webshell.cli.{COMMANDS[options.what]}").command
    door = Door(reactor, address, token, Trust(options.ca_file, pins(options.pin)), plain=options.plain)
    statuses: list[int] = []
    failed: list[Any] = []

    async def whole(begun: Coroutine[Any, Any, int]) -> None:
        try:
            end(await begun)
        except Trouble as trouble:
            if not statuses:  # after a signal nobody asks why
                end(told(trouble))

    def end(status: int) -> None:
        if not statuses:
            statuses.append(status)
            reactor.stop()

    def crash(failure: Any) -> None:
        failed.append(failure)
        end(1)

    def begin() -> None:
        # until the command knows better
        catch(DEADLY, lambda number, frame: reactor.callFromThread(end, 128 + number))
        Deferred.fromCoroutine(whole(command(reactor, options, door))).addErrback(crash)

    reactor.callWhenRunning(begin)
    reactor.run()
    if failed:
        failed[0].raiseException()
    return statuses[0]
