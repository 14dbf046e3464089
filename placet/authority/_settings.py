"""The authority's settings: ``PLACET_AUTHORITY_*`` variables, checked when it starts."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from placet.authority._store import read_url


def _readable(url: str) -> str:
    read_url(url)
    return url


class AuthoritySettings(BaseSettings):
    """Where the authority keeps its state and what it calls itself.

    ``issuer`` is its address as others see it (RFC 8414: the ``iss`` of every grant), without a
    slash at the end. ``key_passphrase`` protects the signing keys in the store.
    ``oidc_client_secret`` is ours at the lender's identity provider, where it gave us one; all else
    about it is in the published rules (``governance.publish``).
    """

    model_config = SettingsConfigDict(env_prefix="PLACET_AUTHORITY_", frozen=True, extra="ignore")

    issuer: str = Field(default="http://127.0.0.1:8600", pattern=r"^https?://[^/?#\s]+$")
    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=1, le=65535)
    database_url: Annotated[str, AfterValidator(_readable)] = "sqlite:///placet.db"
    key_passphrase: SecretStr = Field(min_length=12)
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    grant_seconds: int = Field(default=60, ge=5, le=60)
    oidc_client_secret: SecretStr | None = None
    ready_file: Path | None = None

    @property
    def origin(self) -> str:
        """The ledger's origin line: the log's address without scheme (C2SP tlog-checkpoint)."""
        return self.issuer.split("://", 1)[1] + "/ledger"
