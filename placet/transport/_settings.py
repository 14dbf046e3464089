"""Certificates of one process: ``PLACET_TLS_*``, and Temporal's ``PLACET_TEMPORAL_TLS_*``."""

from pathlib import Path
from typing import Self

from pydantic import SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from placet.settings import Settings


class TlsSettings(Settings):
    """What a process shows and whom it believes, when it serves and when it asks.

    ``certificate`` and ``key`` (PEM) are its own: with them it serves TLS alone, and shows them to
    whom it asks. ``ca`` are the authorities whose servers it believes, instead of the system's.
    With ``client_ca`` only callers with a certificate of one of these get in (mutual TLS).
    ``metrics`` serves metrics and health the same way.
    """

    model_config = SettingsConfigDict(env_prefix="PLACET_TLS_", frozen=True, extra="ignore")

    certificate: Path | None = None
    key: Path | None = None
    key_passphrase: SecretStr | None = None
    ca: Path | None = None
    client_ca: Path | None = None
    metrics: bool = False

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("PLACET_TLS_CERTIFICATE and PLACET_TLS_KEY go together")
        if self.certificate is None and (self.client_ca is not None or self.metrics):
            raise ValueError("serving TLS needs PLACET_TLS_CERTIFICATE and PLACET_TLS_KEY")
        return self


class TemporalTlsSettings(Settings):
    """How Temporal's frontend is asked: with TLS if ``enabled`` or anything else is set.

    ``ca`` is whom its servers are believed from, ``certificate`` and ``key`` are shown to it, and
    ``server_name`` is the name that its certificate must have, where that is not the address's.
    """

    model_config = SettingsConfigDict(
        env_prefix="PLACET_TEMPORAL_TLS_", frozen=True, extra="ignore"
    )

    enabled: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("PLACET_TEMPORAL_TLS_CERTIFICATE and …_KEY go together")
        return self
