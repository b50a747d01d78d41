"""What travels over a gateway, read and written by a Python 2.7: execnet's format in the syntax of that language."""

# Sent as source, too: no annotations, no f-strings.
# mypy: ignore-errors
# ruff: noqa: D102, UP004, UP032

import struct

LARGEST = 2147483647
"""What fits into an integer; larger ones travel as text."""


class Loader(object):
    """Reads one item: a program for a stack.

    :param gateway: makes channels of their numbers.
    :param as_str: text of the other side is to be ``str`` here, not ``unicode``.
    """

    def __init__(self, content, gateway, as_str):
        self.content = content
        self.position = 0
        self.gateway = gateway
        self.as_str = as_str
        self.stack = []

    def take(self, size):
        start, self.position = self.position, self.position + size
        if self.position > len(self.content):
            raise ValueError("an item ends too early")
        return self.content[start : self.position]

    def number(self):
        return struct.unpack("!i", self.take(4))[0]

    def text(self):
        return self.take(self.number())

    def collect(self, kind):
        size = self.number()
        cut = len(self.stack) - size
        items = self.stack[cut:]
        del self.stack[cut:]
        return kind(items)

    def load(self):
        while True:
            code = self.take(1)
            if code == "Q":
                return self.stack.pop()
            if code == "P":
                value, key = self.stack.pop(), self.stack.pop()
                self.stack[-1][key] = value
            elif code in LOADERS:
                self.stack.append(LOADERS[code](self))
            else:
                raise ValueError("unknown code in an item: {!r}".format(code))


def _load_text(loader):
    text = loader.text()
    return text if loader.as_str else text.decode("utf-8")


LOADERS = {
    "@": lambda loader: loader.collect(tuple),
    "A": lambda loader: loader.text(),
    "B": lambda loader: loader.gateway.channel(loader.number()),
    "C": lambda loader: False,
    "D": lambda loader: struct.unpack("!d", loader.take(8))[0],
    "E": lambda loader: loader.collect(frozenset),
    "F": lambda loader: loader.number(),
    "G": lambda loader: loader.number(),
    "H": lambda loader: int(loader.text()),
    "I": lambda loader: int(loader.text()),
    "J": lambda loader: {},
    "K": lambda loader: [None] * loader.number(),
    "L": lambda loader: None,
    "M": lambda loader: loader.text(),
    "N": _load_text,
    "O": lambda loader: loader.collect(set),
    "R": lambda loader: True,
    "S": lambda loader: loader.text().decode("utf-8"),
    "T": lambda loader: complex(*struct.unpack("!dd", loader.take(16))),
}
"""What each code puts on the stack; two more are in :meth:`Loader.load`."""


def _sized(code, text):
    return code + struct.pack("!i", len(text)) + text


def _integer(number):
    if -LARGEST <= number <= LARGEST:
        return "F" + struct.pack("!i", int(number))
    return _sized("H", str(number).rstrip("L"))


def _items(code):
    return lambda items: "".join(dump(item) for item in items) + code + struct.pack("!i", len(items))


def _pairs(pairs):
    return "".join(dump(key) + dump(value) + "P" for key, value in pairs)


def dump(item):
    """An item without the code that ends it.

    :raises TypeError: it is of a kind that does not travel.
    """
    kind = type(item).__name__
    if kind not in DUMPERS:
        raise TypeError("cannot be sent: {}".format(type(item)))
    return DUMPERS[kind](item)


DUMPERS = {
    "NoneType": lambda item: "L",
    "bool": lambda item: "R" if item else "C",
    "int": _integer,
    "long": _integer,
    "float": lambda item: "D" + struct.pack("!d", item),
    "complex": lambda item: "T" + struct.pack("!dd", item.real, item.imag),
    "str": lambda item: _sized("M", item),
    "shadowstr": lambda item: _sized("M", "".join(item)),  # what Jython has in sys
    "unicode": lambda item: _sized("S", item.encode("utf-8")),
    "list": lambda item: "K" + struct.pack("!i", len(item)) + _pairs(enumerate(item)),
    "dict": lambda item: "J" + _pairs(item.items()),
    "tuple": _items("@"),
    "set": _items("O"),
    "frozenset": _items("E"),
    "Channel": lambda item: "B" + struct.pack("!i", item.id),
}
