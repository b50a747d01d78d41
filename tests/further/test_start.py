"""Cases 11 to 26 of the acceptance list: starting programs."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from further.links import BAD, Link
from server.daemons import FOREGROUND
from wire import Server

SCRIPT = "#!/bin/sh\n"


def failed(link: Link) -> str:
    """Why a start failed, which was told as an error to the right process."""
    frame = link.heard()
    assert (frame["type"], frame["data"]["message"], frame["process"]) == ("error", "Message Exception", "1")
    detail: str = frame["data"]["detail"]
    return detail


def test_case_11_a_script_is_started_speaks_and_ends(link: Link) -> None:
    link.say("start", runner="python3", code="print('hi')")
    frames = [link.heard() for _ in range(3)]
    assert [(frame["type"], frame["data"]) for frame in frames] == [
        ("started", None),
        ("stdout", {"output": "hi\n"}),
        ("stopped", {"exitCode": 0}),
    ]
    assert {frame["process"] for frame in frames} == {"1"}


@pytest.mark.parametrize("process", [None, "", 1, ["1"]])
def test_case_12_a_start_without_a_name_starts_nothing(link: Link, process: Any) -> None:
    link.send({"type": "start", "process": process, "data": {"runner": "python3", "code": "print(1)"}})
    assert link.told() == BAD
    link.quiet()


@pytest.mark.parametrize(
    "data", [None, [], {}, {"runner": 5, "code": ""}, {"runner": "cobol", "code": ""}, {"code": "print(1)"}]
)
def test_case_13_a_start_without_a_known_runner_leaves_the_name_free(link: Link, data: Any) -> None:
    link.send({"type": "start", "process": "1", "data": data})
    assert link.told() == BAD
    link.start(code="print(1)")
    assert link.until_stopped() == ("1\n", "", 0)


def test_case_14_the_name_of_a_running_process_is_taken(link: Link) -> None:
    link.start(code="print(input())")
    link.say("start", runner="python3", code="print(1)")
    assert link.told() == BAD
    link.say("stdin", input="still here\n")
    assert link.until_stopped() == ("still here\n", "", 0)


def test_case_15_after_its_end_a_name_may_be_used_again_and_again(link: Link) -> None:
    for number in range(5):
        link.start(code=f"print({number})")
        assert link.until_stopped() == (f"{number}\n", "", 0)


def test_case_16_empty_code_is_code_and_a_number_is_none(further: Server, link: Link) -> None:
    link.start(code="")
    assert link.until_stopped() == ("", "", 0)
    (further.home / "work").mkdir(exist_ok=True)
    (further.home / "work" / "there.py").write_text("print('there')")
    link.start(code=5, path="there.py")
    assert link.until_stopped() == ("there\n", "", 0)


def test_case_17_code_without_a_path_runs_in_the_temporary_folder_and_leaves_nothing(
    further: Server, link: Link
) -> None:
    link.start(code="import os\nprint(os.getcwd())\nprint(__file__)")
    cwd, file = link.until_stopped()[0].split()
    assert cwd == str(further.home / "temp") == os.path.dirname(file)
    assert file.endswith(".py")
    assert not os.path.exists(file)


@pytest.mark.parametrize("path", ["project", "project/", "deep/er/project"])
def test_case_18_code_with_a_path_runs_there_and_imports_what_is_there(further: Server, link: Link, path: str) -> None:
    folder = further.home / "work" / path
    link.start(code="import os; print(os.getcwd())", path=path)
    assert link.until_stopped() == (f"{folder}\n", "", 0)
    (folder / "library.py").write_text("name = 'the library'")
    link.start(code="import library; print(library.name)", path=path)
    assert link.until_stopped() == ("the library\n", "", 0)
    assert [one.name for one in folder.iterdir() if one.suffix == ".py"] == ["library.py"]


def test_case_19_a_file_runs_in_its_folder(further: Server, link: Link) -> None:
    folder = further.home / "work" / "files"
    folder.mkdir(parents=True)
    (folder / "where.py").write_text("import os; print(os.getcwd())")
    for path in ("files/where.py", str(folder / "where.py")):
        link.start(path=path)
        assert link.until_stopped() == (f"{folder}\n", "", 0)


def test_case_19_a_missing_file_is_reported_by_python_and_a_missing_folder_by_us(further: Server, link: Link) -> None:
    (further.home / "work").mkdir(exist_ok=True)
    link.start(path="missing.py")
    output, complaint, code = link.until_stopped()
    assert (output, code) == ("", 2)
    assert "missing.py" in complaint
    link.say("start", runner="python3", path="no/such/folder/missing.py")
    assert "no such directory" in failed(link)


def test_case_20_names_with_spaces_run(further: Server, link: Link) -> None:
    folder = further.home / "work" / "with spaces"
    folder.mkdir(parents=True)
    (folder / "a b.py").write_text("print('python')")
    (folder / "c 'd.sh").write_text(SCRIPT + "echo exec")
    link.start(path="with spaces/a b.py")
    assert link.until_stopped() == ("python\n", "", 0)
    link.start(runner="exec", path="with spaces/c 'd.sh")
    assert link.until_stopped() == ("exec\n", "", 0)


def test_case_21_exec_runs_what_its_first_line_names(further: Server, link: Link) -> None:
    link.start(runner="exec", code=SCRIPT + "pwd; exit 7")
    assert link.until_stopped() == (f"{further.home / 'temp'}\n", "", 7)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"code": "echo hi"}, "does not name an interpreter"),
        ({"code": ""}, "does not name an interpreter"),
        ({"code": "#!"}, "no such interpreter"),
        ({"code": "#!/no/such/thing -x\necho hi"}, "/no/such/thing: no such interpreter"),
        ({"path": "/no/such/file"}, "/no/such/file: no such file"),
        ({"path": "/"}, "/: is no file"),
        ({"path": "a\0b"}, "NUL"),
    ],
)
@pytest.mark.parametrize("query", ["", "pty=1"])
def test_case_22_what_cannot_be_executed_is_told_at_once(
    further: Server, query: str, data: dict[str, str], reason: str
) -> None:
    with Link(further, query) as link:
        link.say("start", runner="exec", **data)
        assert reason in failed(link)
        link.start(code="print(1)")
        assert link.until_stopped()[::2] == ("1\r\n" if query else "1\n", 0)


def test_case_22_a_missing_interpreter_is_named(tmp_path: Path) -> None:
    from further.links import configured

    settings = configured(tmp_path, '[recipes.lua]\nargv = ["no-such-lua", "{file}"]\nsuffix = ".lua"')
    with Server(tmp_path, "--config", settings, argv=FOREGROUND) as server, Link(server) as link:
        link.say("start", runner="lua", code="")
        assert failed(link) == "no-such-lua: command not found"
        assert list((tmp_path / "temp").iterdir()) == []


def test_case_23_a_shell_starts_in_its_path_which_is_made(further: Server, link: Link) -> None:
    link.start(runner="shell")
    link.say("stdin", input="pwd; exit 3\n")
    assert link.until_stopped() == (f"{further.home / 'temp'}\n", "", 3)
    link.start(runner="shell", path="made/for/it", code="exit 9")
    link.say("stdin", input="pwd; exit 4\n")
    assert link.until_stopped() == (f"{further.home / 'work/made/for/it'}\n", "", 4)


def test_case_24_what_is_not_known_is_ignored(further: Server, link: Link) -> None:
    link.start(code="import os; print(os.getcwd())", directoryName="elsewhere", novncOptions={"enabled": True})
    assert link.until_stopped() == (f"{further.home / 'temp'}\n", "", 0)


def test_case_25_a_syntax_error_is_one_message(link: Link) -> None:
    link.start(code="i'm not valid python")
    kind, data = link.told()
    assert kind == "stderr"
    lines = data["output"].splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("  File ")
    assert lines[3].startswith("SyntaxError: ")
    assert link.told() == ("stopped", {"exitCode": 1})


@pytest.mark.parametrize("query", ["", "pty=1"])
def test_case_26_the_environment_is_the_accounts_and_holds_no_secret(tmp_path: Path, query: str) -> None:
    from further.links import configured

    code = "import os\nfor name, value in sorted(os.environ.items()): print(name + '=' + value)"
    secrets = {"WEBSHELL_SECRET": "s3cret", "AWS_SECRET_ACCESS_KEY": "s3cret"}
    daemon = Server(tmp_path, "--config", configured(tmp_path), argv=FOREGROUND, **secrets)
    with daemon as server, Link(server, query) as link:
        link.start(code=code)
        output, _, _ = link.until_stopped()
        token = server.token
    variables = dict(line.split("=", 1) for line in output.splitlines())
    account = pwd.getpwuid(os.getuid())
    assert variables["TERM"] == "xterm-256color"
    assert variables["HOME"] == str(tmp_path)
    assert variables["PWD"] == str(tmp_path / "temp")
    for name, value in (("USER", account.pw_name), ("LOGNAME", account.pw_name), ("SHELL", account.pw_shell)):
        assert variables[name] == os.environ.get(name, value)
    assert "s3cret" not in output
    assert token not in output
