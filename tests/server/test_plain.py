"""The plain dialect over a real daemon: what somebody with a ten-line client sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from wire import Refused, Server, WireClient


def said(client: WireClient, end: str) -> str:
    """All text until it ends with *end*."""
    text = ""
    while not text.endswith(end):
        frame = client.receive()
        assert isinstance(frame, str), frame
        text += frame
    return text


def test_a_message_is_a_command_line_and_its_output_comes_back(server: Server) -> None:
    with server.client(subprotocols=()) as client:
        assert client.subprotocol is None
        client.send("echo hello")
        assert said(client, "hello\n") == "hello\n"
        client.send("echo oops >&2; exit 3")
        assert said(client, "[exit 3]") == "oops\n[exit 3]"
        client.send("kill -KILL $$")
        assert said(client, "]") == "[signal KILL]"
        client.send("true")
        client.send("no-such-command")
        assert said(client, "[exit 127]").endswith("[exit 127]")


def test_commands_run_one_after_another_in_order(server: Server) -> None:
    with server.client(subprotocols=()) as client:
        for number in range(20):
            client.send(f"echo {number}")
        assert said(client, "19\n") == "".join(f"{number}\n" for number in range(20))


def test_output_appears_while_the_command_runs(server: Server) -> None:
    with server.client(subprotocols=()) as client:
        client.send("echo first; read line; echo got $line")
        assert said(client, "first\n") == "first\n"
        client.send(b"an answer\n")  # a binary message is input
        assert said(client, "got an answer\n") == "got an answer\n"


def test_characters_that_are_cut_in_two_arrive_whole(server: Server) -> None:
    with server.client(subprotocols=()) as client:
        client.send(r"printf '\303'; read line; printf '\244\377'")
        client.send(b"\n")
        assert said(client, "�") == "ä�"


def test_a_python_keeps_its_state(server: Server) -> None:
    with server.client(subprotocols=(), path="ws?run=python3") as client:
        client.send("x = 41")
        client.send("x + 1")
        assert said(client, "42\n") == "42\n"
        client.send("for i in range(2):")
        client.send("    print(i)")
        client.send("")
        assert said(client, "1\n") == "0\n1\n"
        client.send("1/0")
        assert "ZeroDivisionError" in said(client, "zero\n")
        client.send("raise SystemExit(7)")
        assert said(client, "]") == "[exit 7]"
        assert client.gone() == 1000


def test_a_configured_runner_keeps_its_state(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        "[runners.counting]\nargv = ['sh', '-c', 'while read n; do echo $((n + 1)); done']\n"
    )
    with (
        Server(tmp_path, "--config", "a.toml") as server,
        server.client(subprotocols=(), path="ws?run=counting") as client,
    ):
        for number in range(3):
            client.send(f"{number}")
            assert said(client, f"{number + 1}\n") == f"{number + 1}\n"


def test_a_runner_or_subprotocol_that_does_not_exist_is_refused(server: Server) -> None:
    with pytest.raises(Refused) as no_runner:
        server.client(subprotocols=(), path="ws?run=cobol")
    assert (no_runner.value.status, b"python3" in no_runner.value.body) == (400, True)
    with pytest.raises(Refused) as no_subprotocol:
        server.client(subprotocols=("webshell.v9",))
    assert (no_subprotocol.value.status, b"webshell.v1" in no_subprotocol.value.body) == (400, True)
    with server.client(subprotocols=(), path="ws?run=exec") as needs_more:
        assert needs_more.receive() == "error: 'argv' is empty: name the program to run"
        assert needs_more.gone() == 1000


def test_what_cannot_be_done_is_said(server: Server) -> None:
    with server.client(subprotocols=()) as client:
        client.send(b"input for nobody")
        assert said(client, "") == ""
        assert client.receive() == "error: nothing is running that could read this"
    with server.client(server.view_token, subprotocols=()) as viewer:
        assert viewer.receive() == "error: you may not do this: it needs the right 'run'"
