"""The ``webshell`` command: a client of ``webshell.v1`` for terminals and scripts."""
