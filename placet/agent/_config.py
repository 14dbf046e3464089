"""What an agent's worker must know: who it is, where its key is, and where to ask."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from placet.model import Name
from placet.tokens import SigningKey

_NAME: TypeAdapter[str] = TypeAdapter(Name)
_ADDRESS = re.compile(r"https?://[^/?#\s]+")


@dataclass(frozen=True)
class AgentConfig:
    """One agent's identity and surroundings.

    ``key_file`` is where the key is kept, without a passphrase; where it is named, the worker makes
    its next key in time and keeps it there.

    ``issuer`` is the authority's address, as it calls itself. ``systems`` gives each system of
    record's address by name; a step's client reaches its own system and nothing else. ``tls`` is
    whom to believe when asking any of them, and what to show.

    Raises:
        ValueError: ``agent`` can be no agent's name, or ``issuer`` no authority's address.
    """

    agent: Name
    key: SigningKey = field(repr=False)
    issuer: str
    systems: Mapping[str, str]
    key_file: Path | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            _NAME.validate_python(self.agent)
        except ValidationError:
            raise ValueError(
                f"agent: {self.agent!r} is no agent's name: lower case, digits and hyphens"
            ) from None
        if not _ADDRESS.fullmatch(self.issuer):
            raise ValueError(
                f"issuer: {self.issuer!r} is no authority's address: http:// or https://, a host "
                "and nothing after it"
            )

    @property
    def client_id(self) -> str:
        """The agent as an OAuth client."""
        return f"agent:{self.agent}"

    def address_of(self, system: str) -> str:
        """The address of a system of record, or of the authority itself.

        Raises:
            LookupError: no address was set for it.
        """
        if system == "authority":
            return self.issuer
        if system not in self.systems:
            raise LookupError(f"no address is set for system {system!r}")
        return self.systems[system].rstrip("/")
