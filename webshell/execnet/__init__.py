"""execnet's gateways and what its wish list asked for, with the released package as it is."""

from webshell.execnet.callbacks import setcallback
from webshell.execnet.group import Group, install

__all__ = ["Group", "install", "setcallback"]
