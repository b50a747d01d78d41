"""Connections to a server, plain or with TLS, opened so that small things go at once and errors name their cause."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Callable
from typing import NoReturn

from execnet import HostNotFound

from webshell.cli.address import Address
from webshell.cli.trust import Trust, fingerprint
from webshell.execnet.secure import Secure
from webshell.execnet.trouble import Untrusted

CONNECT_SECONDS = 20.0
"""For TCP and TLS, each; a server that answers at all does so in less."""

KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds of silence, seconds between questions, and how many: a peer that is gone is noticed within a minute."""

Wire = socket.socket | Secure

Road = Callable[[tuple[str, int] | str], socket.socket]
"""Makes connections to a host and a port, or to the path of a socket, from elsewhere: :mod:`webshell.execnet.reach`."""


def tcp(host: str, port: int, seconds: float) -> socket.socket:
    """A connection, made from here.

    :raises OSError: there is none.
    """
    wire = socket.create_connection((host, port), seconds)
    # without it a small message waits 40 ms for the answer to the last one
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            wire.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return wire


class Dialer:
    """Opens connections to one server.

    :ivar address: of the server.
    """

    def __init__(self, address: Address, trust: Trust, token: str, road: Road | None = None) -> None:
        """:param road: who makes connections; None: they are made from here."""
        self.address = address
        self.token = token
        self._road = road
        self._trust = trust
        self._context: ssl.SSLContext | None = None

    def headers(self) -> dict[str, str]:
        """What proves who we are."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def dial(self, seconds: float) -> Wire:
        """A connection. Time-outs are the caller's.

        :param seconds: for TCP and TLS, each; not more than :data:`CONNECT_SECONDS`.
        :raises OSError: there is none; its text says why.
        :raises Gone: there will be none, as the gateway that it was to be made through has ended.
        :raises execnet.HostNotFound: there is no such machine.
        """
        seconds = min(seconds, CONNECT_SECONDS)
        wire = self._plain(seconds)
        if not self.address.secure:
            return wire
        try:
            wire.settimeout(seconds)
            return self._secured(wire, seconds)
        except BaseException:
            wire.close()
            raise

    def _plain(self, seconds: float) -> socket.socket:
        address = self.address
        try:
            if self._road is not None:
                return self._road(address.socket or (address.host, address.port))
            if address.socket:
                wire = socket.socket(socket.AF_UNIX)
                wire.settimeout(seconds)
                try:
                    wire.connect(address.socket)
                except BaseException:
                    wire.close()
                    raise
                return wire
            return tcp(address.host, address.port, seconds)
        except OSError as error:
            self._explain(error)

    def _explain(self, error: OSError) -> NoReturn:
        where = self.address.socket or self.address.site
        if isinstance(error, socket.gaierror):
            raise HostNotFound(f"no machine is called {self.address.host}") from None
        if isinstance(error, ConnectionRefusedError):
            raise ConnectionRefusedError(f"{where} refuses connections; is the server running there?") from None
        if isinstance(error, TimeoutError):
            raise TimeoutError(f"{where} does not answer") from None
        raise type(error)(f"{where} cannot be reached: {error.strerror or error}") from None

    # ---- TLS

    def _secured(self, wire: socket.socket, seconds: float) -> Secure:
        try:
            if self._context is None:
                self._context = self._made_context(seconds)
            secure = Secure(wire, self._context, self.address.host)
        except ssl.SSLCertVerificationError as error:
            if "mismatch" in error.verify_message or "doesn't match" in error.verify_message:
                raise Untrusted("the server's certificate is for other names than the one in the address") from None
            raise Untrusted(
                f"the server's certificate is not trusted ({error.verify_message}); ca_file= names who signed it, and "
                "pin= the certificate itself (a server with --self-signed prints it)"
            ) from None
        except ssl.SSLError:
            raise Untrusted("the server does not speak TLS as it should; is it http= there?") from None
        except Untrusted:
            raise
        except (EOFError, ConnectionError):
            raise Untrusted("the server closed the connection before it had begun; is it http= there?") from None
        except TimeoutError:
            raise Untrusted("the server says nothing when it is greeted by TLS; is it http= there?") from None
        if self._trust.pins and _pin(secure.certificate) not in self._trust.pins:
            raise Untrusted("the server's certificate is not trusted: it is not the one that pin= names")
        return secure

    def _made_context(self, seconds: float) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authorities = self._trust.authorities
        if authorities:
            try:
                context.load_verify_locations(authorities)
            except ssl.SSLError:
                raise ValueError(f"{authorities}: no certificates are in it; it should be a PEM file") from None
            except OSError as error:
                raise ValueError(f"{authorities}: the certificates cannot be read: {error.strerror}") from None
        elif self._trust.pins:
            # who has the pin vouches for the certificate; that it is for this host is verified like all else
            certificate = self._shown_certificate(seconds)
            if _pin(certificate) not in self._trust.pins:
                raise Untrusted("the server's certificate is not trusted: it is not the one that pin= names")
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.load_verify_locations(cadata=certificate)
        else:
            context.load_default_certs()
        return context

    def _shown_certificate(self, seconds: float) -> bytes:
        """What the server shows to anybody; nothing is said to it."""
        unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverified.check_hostname = False
        unverified.verify_mode = ssl.CERT_NONE
        wire = self._plain(seconds)
        try:
            return Secure(wire, unverified, self.address.host).certificate
        finally:
            wire.close()


def _pin(certificate: bytes) -> str:
    return fingerprint(hashlib.sha256(certificate).digest())
