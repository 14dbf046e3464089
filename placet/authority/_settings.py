"""The authority's settings: ``PLACET_AUTHORITY_*`` variables, or ``[authority]`` in a file."""

import base64
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
)
from pydantic_settings import SettingsConfigDict

from placet.authority._store import read_url
from placet.settings import Settings


def _readable(url: str) -> str:
    read_url(url)
    return url


class WebhookSettings(BaseModel):
    """One webhook: ``secret`` is ``whsec_`` and 24 to 64 bytes in base64 (Standard Webhooks)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    url: str = Field(pattern=r"^(?:https://[!-~]+|http://(?:127\.0\.0\.1|localhost)[:/][!-~]*)$")
    secret: SecretStr

    @field_validator("secret")
    @classmethod
    def _is_a_key(cls, secret: SecretStr) -> SecretStr:
        try:
            key = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
        except ValueError:
            raise ValueError("must be whsec_ and base64") from None
        if not 24 <= len(key) <= 64:
            raise ValueError("must have 24 to 64 bytes")
        return secret


class AuthoritySettings(Settings):
    """Where the authority keeps its state and what it calls itself.

    ``issuer`` is its address as others see it (RFC 8414: the ``iss`` of every grant), without a
    slash at the end. ``key_passphrase`` protects the keys in the store; those that are still under
    ``key_passphrase_before`` open with it, until ``placet authority rotate-passphrase`` has run.
    ``signer`` is the socket of a process that keeps new ones instead (``placet authority signer``).
    ``oidc_client_secret`` is ours at the lender's identity provider, where it gave us one; all else
    about it is in the published rules (``governance.publish``). ``notice_urls`` are Apprise's
    addresses and ``webhooks`` are signed ones; with ``notice_details`` notices say who and
    which record, too. ``temporal_namespace`` is made if it is missing, and must keep closed
    workflows for ``temporal_retention_hours``: until each is sealed in the archive.
    ``grant_algorithm`` is what the next key for grants and sessions signs with: RS256 is for
    systems of record that know nothing else. ``environment`` is the one that this authority
    serves: an identity that is registered for another neither joins nor gets a grant here.

    ``rate_…`` are requests a second of one agent, system or operator, and of one address for those
    whom nobody knows; ten times as many at once, and 0 for no limit. ``trusted_proxies`` are the
    addresses of balancers that say whose request they hand on (``X-Forwarded-For``).
    """

    model_config = SettingsConfigDict(env_prefix="PLACET_AUTHORITY_", frozen=True, extra="ignore")

    issuer: str = Field(default="http://127.0.0.1:8600", pattern=r"^https?://[^/?#\s]+$")
    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=1, le=65535)
    database_url: Annotated[str, AfterValidator(_readable)] = "sqlite:///placet.db"
    key_passphrase: SecretStr = Field(min_length=12)
    key_passphrase_before: SecretStr | None = None
    signer: Path | None = None
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_retention_hours: int = Field(default=24, ge=24, le=8760)
    grant_seconds: int = Field(default=60, ge=5, le=60)
    grant_algorithm: Literal["ES256", "RS256"] = "ES256"
    oidc_client_secret: SecretStr | None = None
    notice_urls: tuple[SecretStr, ...] = ()
    webhooks: tuple[WebhookSettings, ...] = ()
    notice_details: bool = False
    environment: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$")
    rate_agents: float = Field(default=500, ge=0, le=100_000)
    rate_systems: float = Field(default=500, ge=0, le=100_000)
    rate_operators: float = Field(default=200, ge=0, le=100_000)
    rate_strangers: float = Field(default=100, ge=0, le=100_000)
    trusted_proxies: tuple[str, ...] = ()
    ready_file: Path | None = None

    @field_validator("notice_urls")
    @classmethod
    def _can_be_sent(cls, urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if urls and find_spec("apprise") is None:
            raise ValueError("Apprise is missing: install placet[notices]")
        return urls

    @property
    def origin(self) -> str:
        """The ledger's origin line: the log's address without scheme (C2SP tlog-checkpoint)."""
        return self.issuer.split("://", 1)[1] + "/ledger"
