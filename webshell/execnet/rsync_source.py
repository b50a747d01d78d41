"""What there is to be sent: a directory read once, before any other side is asked for anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Parts = tuple[str, ...]
"""The names from the root of the tree down to an entry; empty: the root itself."""

SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}

NAMED = 10
"""Special files that an error names; the rest are counted."""


class SpecialFiles(ValueError):
    """The source holds what is neither a file, a directory nor a link."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        """:param found: their paths and kinds."""
        names = [f"{path} is {kind}" for path, kind in found[:NAMED]]
        if more := len(found) - NAMED:
            names += [f"and {more} more"] if more > 0 else []
        super().__init__(f"cannot sync special files: {', '.join(names)}; special='skip' leaves them out")
        self.found = tuple(found)


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory, and the names that belong in it."""

    parts: Parts
    mode: int
    names: Parts


@dataclass(frozen=True, slots=True)
class File:
    """A regular file."""

    path: str
    parts: Parts
    mode: int
    mtime: int
    """In nanoseconds."""
    size: int


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link; *text* is what it holds, or the way from the root if an absolute one leads *inside*."""

    path: str
    parts: Parts
    text: str
    inside: bool
    to_directory: bool


@dataclass(slots=True)
class Tree:
    """All of it, parents before what is in them."""

    directories: list[Directory] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    special: list[tuple[str, str]] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Of copies: the links that cannot be followed, and why."""


def read_tree(root: str, wanted: Callable[[str], bool]) -> Tree:
    """The tree at *root*, an absolute path; if that is a link, where it leads.

    :param wanted: is asked for each path but the root's.
    :raises OSError: there is nothing at *root*, or a directory cannot be read.
    """
    tree = Tree()
    roots = (root, os.path.realpath(root))
    for path, parts, status in _walk(root, (), wanted, tree):
        if stat.S_ISLNK(status.st_mode):
            tree.links.append(_link(path, parts, roots))
        else:
            _enter(path, parts, status, tree)
    return tree


def read_copies(link: Link, wanted: Callable[[str], bool]) -> Tree:
    """What *link* leads to, in its place: a file, or a directory with all that its links lead to.

    :raises OSError: it leads nowhere.
    """
    tree = Tree()
    for path, parts, status in _walk(link.path, link.parts, wanted, tree, follow=True):
        _enter(path, parts, status, tree)
    return tree


def _enter(path: str, parts: Parts, status: os.stat_result, tree: Tree) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        tree.files.append(File(path, parts, stat.S_IMODE(status.st_mode), status.st_mtime_ns, status.st_size))
    elif kind != stat.S_IFDIR:
        tree.special.append((path, SPECIAL.get(kind, "of an unknown kind")))


def _walk(
    root: str, top: Parts, wanted: Callable[[str], bool], tree: Tree, *, follow: bool = False
) -> Iterator[tuple[str, Parts, os.stat_result]]:
    """Each path with its status; directories enter the tree here, since what is in them is known here."""
    waiting: list[tuple[str, Parts, frozenset[tuple[int, int]]]] = [(root, top, frozenset())]
    while waiting:
        path, parts, above = waiting.pop()
        try:
            status = os.stat(path) if follow or path == root else os.lstat(path)
            names = _names(path, wanted) if stat.S_ISDIR(status.st_mode) else None
        except OSError as error:
            if path == root:
                raise
            if follow:
                tree.unread.append((path, str(error.strerror)))
            elif not isinstance(error, FileNotFoundError):
                raise
            continue  # or it has gone since its directory was read
        if names is None:
            yield path, parts, status
            continue
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            tree.unread.append((path, "it leads to a directory that it lies in"))
            continue
        tree.directories.append(Directory(parts, stat.S_IMODE(status.st_mode), names))
        below = above | {identity} if follow else above
        waiting += [(os.path.join(path, name), (*parts, name), below) for name in reversed(names)]


def _names(path: str, wanted: Callable[[str], bool]) -> Parts:
    return tuple(sorted(name for name in os.listdir(path) if wanted(os.path.join(path, name))))


def _link(path: str, parts: Parts, roots: tuple[str, ...]) -> Link:
    # Windows gives absolute ones with a prefix that other functions do not know
    text = os.readlink(path).removeprefix("\\\\?\\" if os.name == "nt" else "")
    inside = False
    if os.path.isabs(text):
        for root in roots:
            # by its text: where a link leads is not asked, it may lead nowhere
            if _is_below(os.path.normpath(text), root):
                text, inside = os.path.relpath(text, root), True
                break
    return Link(path, parts, text.replace(os.sep, "/"), inside, os.path.isdir(path))


def _is_below(path: str, root: str) -> bool:
    try:
        return os.path.commonpath([root, path]) == root
    except ValueError:
        return False  # on another drive
