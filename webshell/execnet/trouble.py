"""What a gateway over the web can fail from: each error names its cause, and is of a kind that is caught already."""

from __future__ import annotations


class WrongToken(PermissionError):
    """The server wants a token, or another one."""


class Untrusted(ConnectionError):
    """Nobody vouches for the server's certificate, or it does not speak TLS as it should."""


class Refused(ConnectionError):
    """The server, or something before it, does not do what was asked."""


class NotStarted(OSError):
    """The interpreter could not be started, or is none."""


class Gone(EOFError):
    """The process has ended, or there is none of that id any more: asking again is of no use."""


MEANINGS = {
    301: "the server is elsewhere: {location}",
    302: "the server is elsewhere: {location}",
    307: "the server is elsewhere: {location}",
    308: "the server is elsewhere: {location}",
    400: "the server did not understand what was asked; is this the address of a webshell?",
    403: "the server does not allow that to this token",
    404: "there is no webshell at this address; is the path right?",
    405: "there is no webshell at this address; is the path right?",
    421: "the server does not know itself by this name: start it with --host NAME",
    502: "the proxy does not reach the server; is it running?",
    503: "the server, or what is before it, takes no more connections, or requests, for now",
    504: "the proxy does not reach the server; is it running?",
}
"""What the status of an answer means for people, where the server itself does not say it."""

PASSING = {408, 429, 500, 502, 503, 504}
"""What may be over when one tries again later."""


def refusal(status: int, said: str, location: str, token: bool) -> OSError:
    """The error for an answer that is none of those that were hoped for.

    :param said: by the server, for people; empty: nothing.
    :param token: whether one was sent.
    """
    if status in (401, 403) and token and (status == 401 or "token" in said):
        return WrongToken("wrong token: the server wants another one")
    if status == 401:
        return WrongToken(
            "the server wants a token: the variable WEBSHELL_TOKEN, the file that WEBSHELL_TOKEN_FILE or token_file= "
            "names, or the keyring"
        )
    if status == 422:
        return NotStarted(said or "the interpreter cannot be started there")
    if status in (404, 405):
        said = ""  # of the path, by something that does not know what was looked for
    meaning = MEANINGS.get(status, "").format(location=location)
    return Refused(said or meaning or f"the server answered {status}; is this the address of a webshell?")
