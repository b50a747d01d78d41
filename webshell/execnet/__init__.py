"""execnet's gateways and what its wish list asked for, with the released package as it is."""

from webshell.execnet.callbacks import setcallback
from webshell.execnet.environments import SetupFile, create_venv_gateway
from webshell.execnet.group import Group, install
from webshell.execnet.relays import open_relay
from webshell.execnet.rsync import RSync
from webshell.execnet.via import ChannelGateway

__all__ = [
    "ChannelGateway",
    "Group",
    "RSync",
    "SetupFile",
    "create_venv_gateway",
    "install",
    "open_relay",
    "setcallback",
]
