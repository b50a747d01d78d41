"""``python -m webshell.cli``: the ``webshell`` command where it is not installed as one."""

from __future__ import annotations

import sys

from webshell.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
