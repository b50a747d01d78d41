"""``python -m webshell``: the daemon in the foreground, for people who do not know twistd."""

from __future__ import annotations

import sys

from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.python import usage

from webshell.tap import Options, make_service


def main() -> int:
    """Run until a signal or Ctrl-C. Returns the exit code."""
    options = Options()
    options.synopsis = "Usage: python -m webshell [options]"
    try:
        options.parseOptions(sys.argv[1:])
        service = make_service(options, daemon=False)
    except usage.UsageError as error:
        print(f"webshell: {error}\nTry 'python -m webshell --help'.", file=sys.stderr)
        return 2
    from twisted.internet import reactor  # importing it installs it

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    service.privilegedStartService()
    service.startService()
    reactor.run()
    return 1 if service.failed else 0


if __name__ == "__main__":
    sys.exit(main())
