"""What only reaches the log fails a test, in plain functions and in trial's classes, and can be expected."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.trial.unittest import TestCase

log = Logger()


def forget():
    deferred = Deferred()
    deferred.itself = deferred  # a cycle: only the garbage collector finds it
    deferred.errback(ValueError("forgotten"))


def test_failing_by_an_error():
    log.error("an error")


def test_failing_by_a_failure():
    try:
        raise ValueError("a failure")
    except ValueError:
        log.failure("it went wrong")


def test_failing_by_a_deferred():
    forget()


def test_passing_with_a_warning():
    log.warn("a warning")


@pytest.mark.logs_errors
def test_passing_because_expected(logged):
    log.error("an error")
    forget()
    assert logged[0]["log_format"] == "an error"


class Test(TestCase):
    def test_failing_by_a_logged_failure(self):
        log.failure("it went wrong", fail(ValueError()).addErrback(self._keep) and self.kept)

    def test_passing_because_flushed(self):
        fail(ValueError()).addErrback(self._keep)
        log.failure("it went wrong", self.kept)
        assert len(self.flushLoggedErrors(ValueError)) == 1

    def test_failing_by_a_deferred(self):
        forget()

    def _keep(self, failure):
        self.kept = failure
"""


def test_what_reached_the_log_only(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    logs_errors: on purpose\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--tb=short", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    verdicts: dict[str, set[str]] = {}
    for line in done.stdout.partition("short test summary info")[2].splitlines()[1:-1]:
        verdict, _, name = line.partition(" ")
        if "::" in name:
            verdicts.setdefault(name.split(" ")[0].rpartition("::")[2], set()).add(verdict)
    for name, found in verdicts.items():
        assert (found == {"PASSED"}) == ("passing" in name), done.stdout
    assert len(verdicts) == TESTS.count("def test_") - 1, done.stdout  # a name is there twice
    assert "forgotten" in done.stdout
