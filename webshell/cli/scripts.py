"""What the far side of ``cp`` runs: ``sh`` and ``tar``, as every system has them; POSIX except for ``tar`` itself.

Paths come as formats of ``printf`` (``places.quoted``) because names may be any bytes. Whatever is said on the standard
error is an error for people: ``PATH: what is wrong``.
"""

from __future__ import annotations

_COMMON = r"""
LC_ALL=C; export LC_ALL; COPYFILE_DISABLE=1; export COPYFILE_DISABLE; unset CDPATH TAR_OPTIONS
bad=0
say() { printf '%s\n' "$*" >&2; bad=1; }
fail() { say "$*"; exit 1; }
bytes() { bytes=$(printf "$1"; printf x); bytes=${bytes%x}; }
path() { bytes "$1"; case $bytes in /*|./*|../*) ;; *) bytes=./$bytes;; esac; }
"""


def of_sh(script: str, *arguments: str) -> list[str]:
    """The command that runs *script*."""
    return ["sh", "-c", script, "webshell", *arguments]


LOOK = (
    _COMMON
    + r"""
tree=$1; shift
look() {
    if [ -d "$1" ]; then
        [ -n "$tree" ] || { say "$1: is a folder; -r copies folders"; return; }
        [ -r "$1" ] && [ -x "$1" ] || { say "$1: Permission denied"; return; }
        printf 'd%s\0' "$1"
    elif [ -f "$1" ]; then
        [ -r "$1" ] || { say "$1: Permission denied"; return; }
        printf 'f%s\0' "$1"
    elif [ -e "$1" ] || [ -h "$1" ]; then say "$1: is not a regular file"
    else say "$1: No such file or directory"
    fi
}
for format; do
    path "$format"
    if [ -e "$bytes" ] || [ -h "$bytes" ]; then look "$bytes"; continue; fi
    IFS=
    for found in $bytes; do look "$found"; done
done
exit $bad
"""
)
"""``TREE PATH…``: which files (``f``) and folders (``d``) there are, each name ended by NUL; wildcards are resolved."""

SEND = (
    _COMMON
    + r"""
path "$1"; cd "$bytes" || exit 1
path "$2"; set --
# else it takes what follows a backslash in a name for a code
case $(tar --version 2>/dev/null) in *GNU*) set -- --no-unquote;; esac
exec tar "$@" -c -h -f - "$bytes"
"""
)
"""``FOLDER NAME``: the archive of it, links followed."""

TAKE = (
    _COMMON
    + r"""
several=$1 tree=$2 keep=$3 part=$4
path "$5"; to=$bytes as=
if ! [ -d "$to" ]; then
    [ -z "$several" ] || fail "$to: No such folder"
    case $to in */)
        [ -n "$tree" ] || fail "$to: No such folder"
        while :; do case $to in */) to=${to%/};; *) break;; esac; done
    esac
    if [ -h "$to" ]; then
        to=$(readlink -f "$to" && printf x) || fail "$bytes: the link leads nowhere"
        to=${to%?x}
    fi
    if [ -e "$to" ]; then
        [ -z "$tree" ] || fail "$to: is not a folder"
        [ -f "$to" ] || fail "$to: is not a regular file"
    fi
    as=${to##*/} to=${to%/*}
    [ -n "$to" ] || to=/
    [ -d "$to" ] || fail "$to: No such folder"
fi
case $to in */) ;; *) to=$to/;; esac
staged=$to$part
clean() { chmod -R u+rwx "$staged" 2>/dev/null; rm -rf "$staged"; }
trap 'trap "" HUP INT TERM; clean' EXIT
trap 'exit 1' HUP INT TERM
why=$(mkdir -m 700 "$staged" 2>&1) || fail "$to: ${why##*: }"

# like OLD NEW: mode and owner of what is replaced
like() {
    set -f; set -- "$2" $(ls -ldn "$1" | head -n 1); set +f
    user=${2#?}; group=${user#???}; other=${group#???}
    user=${user%"$group"}; group=${group%"$other"}; other=${other%"${other#???}"}
    chown "$4:$5" "$1" 2>/dev/null
    chmod "u=$(bits "$user"),g=$(bits "$group"),o=$(bits "$other")" "$1"
}
bits() { printf %s "$1" | tr st xx | tr -d 'ST-'; }

# put NEW PLACE: a file, in one step
put() {
    there=$2
    if [ -h "$there" ]; then
        there=$(readlink -f "$there" && printf x) || { say "$2: the link leads nowhere"; return; }
        there=${there%?x}
    fi
    if [ -d "$there" ]; then say "$2: is a folder"; return; fi
    if [ -e "$there" ]; then
        [ -f "$there" ] || { say "$2: is not a regular file"; return; }
        [ -w "$there" ] || { say "$2: Permission denied"; return; }
        [ -n "$keep" ] || like "$there" "$1"
    fi
    why=$(mv -f "$1" "$there" 2>&1) || say "$2: ${why##*: }"
}

# merge NEW PLACE: a folder, in one step if there is none; in a shell of its own, for its variables
merge() (
    bad=0
    if ! [ -e "$2" ] && ! [ -h "$2" ]; then
        why=$(mv "$1" "$2" 2>&1) || say "$2: ${why##*: }"
        exit $bad
    fi
    [ -d "$2" ] || fail "$2: is not a folder"
    from=$1 onto=$2
    for existing in '' yes; do
        set --
        for new in "$from"/* "$from"/.[!.]* "$from"/..?*; do
            [ -e "$new" ] || continue
            name=${new##*/}
            if [ -d "$new" ]; then
                [ -z "$existing" ] || merge "$new" "$onto/$name" || bad=1
            elif [ -z "$existing" ]; then
                [ -e "$onto/$name" ] || [ -h "$onto/$name" ] || set -- "$@" "$name"
            elif [ -f "$onto/$name" ] && [ -w "$onto/$name" ] && ! [ -h "$onto/$name" ]; then
                set -- "$@" "$name"
            else
                put "$new" "$onto/$name"
            fi
            [ $# -lt 200 ] || { group "$@"; set --; }
        done
        group "$@"
    done
    exit $bad
)

# group NAME…: files that go from $from to $onto; by one program for all unless they get other modes or owners
group() {
    [ $# != 0 ] || return 0
    if [ -z "$existing" ] || [ -n "$keep" ] || [ "$(kinds "$from" "$@")" = "$(kinds "$onto" "$@")" ]; then
        together "$@"
    fi
    for name; do
        ! [ -e "$from/$name" ] || put "$from/$name" "$onto/$name"
    done
}
together() {
    for name; do set -- "$@" "$from/$name"; shift; done
    mv -f "$@" "$onto/" 2>/dev/null
}
kinds() {
    folder=$1; shift
    for name; do set -- "$@" "$folder/$name"; shift; done
    stat -c '%a %u %g' "$@" 2>/dev/null || printf %s "$folder"  # which makes them different
}

# place NUMBER NAME KIND: what came as NUMBER
place() {
    bytes "$2"; place=$to${as:-$bytes}
    [ -e "$staged/$1" ] || return
    case $3 in
        f) put "$staged/$1" "$place";;
        d) merge "$staged/$1" "$place" || bad=1;;
    esac
}

# folder NAME BELOW MODE TIME: as it was where it comes from; when nothing changes it any more
folder() {
    bytes "$1"; place=$to${as:-$bytes}
    bytes "$2"; place=$place${bytes:+/$bytes}
    why=$(chmod "$3" "$place" 2>&1 && TZ=UTC0 touch -t "$4" "$place" 2>&1) || say "$place: ${why##*: }"
}
leave() { bytes "$1"; rm -f "$staged/$bytes"; }

printf 'ready %s\n' "$(umask)"
if [ -n "$keep" ]; then tar -x -p -o -f - -C "$staged"; else tar -x -p -o -m -f - -C "$staged"; fi || exit 1
[ -f "$staged/install" ] || fail "$to: the copy did not arrive whole"
. "$staged/install"
exit $bad
"""
)
"""``SEVERAL TREE KEEP PART DEST``: says ``ready UMASK``, unpacks its input into a hidden folder beside the destination,
whose last member, ``install``, calls ``leave``, ``place``, ``clean`` and ``folder``. What has not arrived whole leaves
nothing."""
