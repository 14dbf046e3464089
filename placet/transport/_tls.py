"""TLS contexts of one process, which take over a renewed certificate while it runs.

1. TLS 1.2 at least; a server's certificate must name the host that was asked for, and be valid.
2. Where callers must show a certificate, the handshake fails without one: no request is read.
3. A renewed certificate and key are taken over within half a minute. A pair that does not fit, as
   while one of them is being written, leaves the one before in use.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from placet.transport._settings import TemporalTlsSettings, TlsSettings

if TYPE_CHECKING:
    from temporalio.service import TLSConfig

_LOOK = 30.0
"""Seconds between two looks whether the certificate was renewed."""

_log = logging.getLogger("placet.transport")


class BadTls(Exception):
    """A certificate, key or CA that can't be used; the message names the setting."""


class Transport:
    """The contexts of one process.

    ``server`` is ``None`` where plain HTTP is served, ``client`` where nothing is set: then the
    system's own authorities are believed, and nothing is shown.
    """

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self.server: ssl.SSLContext | None = None
        self.client: ssl.SSLContext | None = None
        self.ends: datetime | None = None
        """When the certificate in use, or the first of its chain, ends."""
        if settings.certificate is not None:
            self.server = _context(ssl.PROTOCOL_TLS_SERVER)
            if settings.client_ca is not None:
                self.server.verify_mode = ssl.CERT_REQUIRED
                _believe(self.server, settings.client_ca, "PLACET_TLS_CLIENT_CA")
        if settings.certificate is not None or settings.ca is not None:
            self.client = _context(ssl.PROTOCOL_TLS_CLIENT)
            if settings.ca is None:
                self.client.load_default_certs()
            else:
                _believe(self.client, settings.ca, "PLACET_TLS_CA")
        self._seen: tuple[object, ...] = ()
        try:
            self._load()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise BadTls(f"PLACET_TLS_CERTIFICATE, PLACET_TLS_KEY: {_said(error)}") from None

    @property
    def metrics(self) -> ssl.SSLContext | None:
        """The context that metrics and health are served with."""
        return self.server if self._settings.metrics else None

    def look(self) -> bool:
        """Take over the certificate and key if they were renewed; whether they were."""
        try:
            return self._load()
        except (OSError, ValueError) as error:
            _log.warning("the renewed certificate can't be used yet: %s", _said(error))
            return False

    @contextlib.asynccontextmanager
    async def kept(self, pause: float = _LOOK) -> AsyncIterator[None]:
        """Look now and then, for as long as the context lasts."""

        async def keep() -> None:
            while True:
                await asyncio.sleep(pause)
                # Not in a thread: a handshake meanwhile would meet the new certificate with no key.
                if self.look():
                    _log.info("the renewed certificate is in use")

        keeping = asyncio.create_task(keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    def _load(self) -> bool:
        certificate, key = self._settings.certificate, self._settings.key
        if certificate is None or key is None:
            return False
        seen = (_version(certificate), _version(key))
        if seen == self._seen:
            return False
        secret = self._settings.key_passphrase
        # Without one OpenSSL would ask on the terminal, and wait.
        passphrase = "" if secret is None else secret.get_secret_value()
        # Into a context of its own first: a pair that does not fit must not spoil those in use.
        _context(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, passphrase)
        for context in (self.server, self.client):
            if context is not None:
                context.load_cert_chain(certificate, key, passphrase)
        self.ends = _end(certificate)
        self._seen = seen
        return True


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _believe(context: ssl.SSLContext, path: Path, setting: str) -> None:
    try:
        context.load_verify_locations(path)
    except OSError as error:
        raise BadTls(f"{setting}: {path}: {_said(error)}") from None


def _end(certificate: Path) -> datetime:
    """When the first of a chain ends."""
    from cryptography import x509  # noqa: PLC0415 - dear to load for a command that shows none

    chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    return min(each.not_valid_after_utc for each in chain)


def _version(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"no certificate and key that fit ({error.reason or 'not PEM'})"
    return str(error)


def temporal_tls(settings: TemporalTlsSettings) -> "TLSConfig | bool":
    """How a Temporal client connects.

    Raises:
        BadTls: a file can't be read.
    """
    from temporalio.service import TLSConfig  # noqa: PLC0415 - a system of record has no Temporal

    files = {
        name: None if path is None else _read(path, name)
        for name, path in (
            ("CA", settings.ca),
            ("CERTIFICATE", settings.certificate),
            ("KEY", settings.key),
        )
    }
    if not settings.enabled and settings.server_name is None and not any(files.values()):
        return False
    return TLSConfig(
        server_root_ca_cert=files["CA"],
        domain=settings.server_name,
        client_cert=files["CERTIFICATE"],
        client_private_key=files["KEY"],
    )


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadTls(f"PLACET_TEMPORAL_TLS_{name}: {path}: {error.strerror}") from None
