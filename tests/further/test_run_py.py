"""Cases 71 to 75 of the acceptance list: the old address."""

from __future__ import annotations

from further.links import BAD, Link
from wire import Server


def test_case_71_a_script_runs(python: Link) -> None:
    python.send({"type": "start", "data": {"sourceScript": "print('hi')"}})
    frames = [python.heard() for _ in range(3)]
    assert frames == [
        {"type": "started", "data": None, "process": ""},
        {"type": "stdout", "data": {"output": "hi\n"}, "process": ""},
        {"type": "stopped", "data": {"exitCode": 0}, "process": ""},
    ]
    assert [*frames[0]] == ["type", "data", "process"]


def test_case_72_one_at_a_time(python: Link) -> None:
    for _ in range(2):
        python.say("start", None, sourceScript="print(input())")
        assert python.told() == ("started", None)
        python.say("start", None, sourceScript="print(1)")
        assert python.told() == BAD
        python.say("stdin", None, input="x\n")
        assert python.until_stopped() == ("x\n", "", 0)


def test_case_73_paths_and_folders(further: Server, python: Link) -> None:
    code = "import os; print(os.getcwd())"
    work = further.home / "work"
    python.say("start", None, sourceScript=code, directoryName="run-py/made")
    assert python.told() == ("started", None)
    assert python.until_stopped() == (f"{work / 'run-py/made'}\n", "", 0)
    (work / "run-py" / "x.py").write_text(code)
    for path in ("run-py/x.py", str(work / "run-py" / "x.py")):
        python.say("start", None, sourcePath=path)
        assert python.told() == ("started", None)
        assert python.until_stopped() == (f"{work / 'run-py'}\n", "", 0)
    python.say("start", None, sourcePath="")
    assert python.told() == BAD


def test_case_73_a_missing_file_is_reported_by_python_and_a_missing_folder_by_us(further: Server, python: Link) -> None:
    (further.home / "work").mkdir(exist_ok=True)
    python.say("start", None, sourcePath="missing.py")
    assert python.told() == ("started", None)
    assert python.until_stopped()[2] == 2
    python.say("start", None, sourcePath="no/such/folder/missing.py")
    kind, data = python.told()
    assert (kind, data["message"]) == ("error", "Message Exception")


def test_case_75_with_nothing_running_nothing_can_be_told(python: Link) -> None:
    for kind, data in (("stop", {}), ("stdin", {"input": "x"}), ("keyevent", {"key": "a", "event": "keydown"})):
        python.say(kind, None, **data)
        assert python.told() == BAD
    python.quiet()
    python.say("start", None, sourceScript="while True: pass")
    assert python.told() == ("started", None)
    python.say("resize", None, rows=1, cols=1)
    assert python.told() == BAD
    python.say("stop", None)
    assert python.until_stopped() == ("", "", -15)


def test_a_terminal_can_be_asked_for(further: Server) -> None:
    with Link(further, "pty=true", path="run-py") as link:
        link.say("start", None, sourceScript="print(input())")
        assert link.told() == ("started", None)
        link.say("stdin", None, input="x\r")
        assert link.until_stopped() == ("x\r\nx\r\n", "", 0)
