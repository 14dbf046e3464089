"""The gateway's settings: ``PLACET_GATEWAY_*`` variables or ``[gateway]`` in ``placet.toml``."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from placet.gateway._headers import FurtherName
from placet.model import Name
from placet.settings import Settings

_DATABASE = r"^(?:postgresql://\S+|sqlite:///[^:?#\s][^?#\s]*)$"
"""PostgreSQL, or a SQLite file: one in memory would be each process's own."""


class GatewaySettings(Settings):
    """Which system the gateway stands before, and how it is asked.

    ``system`` is enrolled at the authority ``issuer`` with the key of ``key_file``. ``url`` is the
    gateway's address as callers spell it, ``upstream`` the system's own. ``routes`` is the file
    that says which request is which action on which record. ``upstream_authorization`` is sent to
    the system as ``Authorization``, so that it can tell the gateway from others; ``pass_headers``
    lets more of a caller's headers through. Bodies are limited, in bytes, both ways. Several
    gateways before one system name the same ``proofs_url``, a PostgreSQL or SQLite database in
    which each proof counts once for all of them; without it, one process remembers its own.
    """

    model_config = SettingsConfigDict(
        env_prefix="PLACET_GATEWAY_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    system: Name
    issuer: str = Field(default="http://127.0.0.1:8600", pattern=r"^https?://[^/?#\s]+$")
    url: str = Field(default="http://127.0.0.1:8620", pattern=r"^https?://[^/?#\s]+$")
    upstream: str = Field(pattern=r"^https?://[^/?#\s@]+(?:/[A-Za-z0-9._~-]+)*$")
    routes: Path
    key_file: Path
    key_passphrase: SecretStr | None = None
    uses_file: Path = Path("var/gateway/uses.db")
    proofs_url: str | None = Field(default=None, pattern=_DATABASE, repr=False)
    host: str = "127.0.0.1"
    port: int = Field(default=8620, ge=1, le=65535)
    max_body: int = Field(default=8 * 1024 * 1024, ge=0, le=1024**3)
    max_answer: int = Field(default=64 * 1024 * 1024, ge=0, le=16 * 1024**3)
    upstream_seconds: float = Field(default=30, gt=0, le=600)
    upstream_authorization: SecretStr | None = None
    pass_headers: tuple[FurtherName, ...] = ()
    ready_file: Path | None = None
