"""A Python that keeps its state, fed over standard input; runs in the child, standard library only, Python 3.8+.

Without arguments each line of input is one line of Python, as at the interactive prompt but without prompts: a compound
statement ends with an empty line. With ``--blocks`` each line is a JSON string that holds a block of source. Standard
output then carries marks, as shells with VS Code's and FinalTerm's integration make them: before each block its time
and source (``OSC 633 ; P ; Started=seconds``, ``OSC 633 ; E ; source``), after it the time and the status, 0, or 1 when
it raised (``OSC 633 ; P ; Ended=seconds``, ``OSC 133 ; D ; status``).

User code shares the standard input: ``input()`` reads the next line.
"""

import ast
import builtins
import code
import json
import linecache
import re
import sys
import time


class Interpreter(code.InteractiveInterpreter):
    """Runs source in one namespace and knows whether the last raised."""

    def __init__(self) -> None:
        super().__init__({"__name__": "__main__", "__doc__": None, "__builtins__": builtins})
        self.raised = False
        self._number = 0

    def block(self, source: str) -> None:
        """Run *source*; the value of a final expression is shown."""
        self._number += 1
        name = f"<block {self._number}>"
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)  # for tracebacks
        self.raised = False
        try:
            tree = ast.parse(source, name)
            last = tree.body[-1:] if tree.body and isinstance(tree.body[-1], ast.Expr) else []
            rest = tree.body[: len(tree.body) - len(last)]
            statements = compile(ast.Module(rest, []), name, "exec")
            shown = compile(ast.Interactive(last), name, "single")
        except (OverflowError, SyntaxError, ValueError, RecursionError, MemoryError):
            self.raised = True
            self.showsyntaxerror(name)
            return
        self.runcode(statements)
        if not self.raised:
            self.runcode(shown)

    def showtraceback(self) -> None:
        """Say what was raised, and remember that something was."""
        self.raised = True
        super().showtraceback()


def read() -> str:
    """The next line of input; Ctrl-C while nothing runs is nothing."""
    while True:
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            continue
        if not line:
            raise SystemExit(0)
        return line.rstrip("\r\n")


def interrupted() -> None:
    """Say that Ctrl-C ended what ran."""
    sys.stdout.flush()
    print("KeyboardInterrupt", file=sys.stderr, flush=True)


def mark(*sequences: str) -> None:
    """Say something beside the output."""
    sys.stdout.flush()
    sys.stderr.flush()
    sys.stdout.write("".join(f"\x1b]{sequence}\x07" for sequence in sequences))
    sys.stdout.flush()


def escaped(source: str) -> str:
    """*source* as VS Code's mark E carries it: backslashes doubled, semicolons and controls in hexadecimal."""
    return re.sub(r"[\x00-\x1f;\x7f]", lambda found: f"\\x{ord(found[0]):02x}", source.replace("\\", "\\\\"))


def lines(interpreter: Interpreter) -> None:
    """Run what comes line by line, for ever."""
    pending = []
    while True:
        pending.append(read())
        try:
            more = interpreter.runsource("\n".join(pending), "<input>")
        except KeyboardInterrupt:
            interrupted()
            more = False
        sys.stdout.flush()
        sys.stderr.flush()
        if not more:
            pending.clear()


def blocks(interpreter: Interpreter) -> None:
    """Run what comes block by block, for ever."""
    while True:
        line = read()
        try:
            source = json.loads(line)
        except ValueError:
            source = line
        if not isinstance(source, str):
            source = line
        mark(f"633;P;Started={time.time():.3f}", f"633;E;{escaped(source)}")
        try:
            interpreter.block(source)
        except KeyboardInterrupt:
            interpreter.raised = True
            interrupted()
        mark(f"633;P;Ended={time.time():.3f}", f"133;D;{int(interpreter.raised)}")


def main() -> None:
    """Begin."""
    sys.path[0] = ""  # not this file's directory: the working directory, as at the interactive prompt
    arguments, sys.argv = sys.argv[1:], [""]
    interpreter = Interpreter()
    if arguments == ["--blocks"]:
        blocks(interpreter)
    elif arguments:
        raise SystemExit(f"usage: {__file__} [--blocks]")
    else:
        lines(interpreter)


if __name__ == "__main__":
    main()
