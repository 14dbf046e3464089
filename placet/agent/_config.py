"""What an agent's worker must know: who it is, where its key is, and where to ask."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from placet.model import Name, require_address, require_issuer, require_name
from placet.tokens import SigningKey


@dataclass(frozen=True)
class AgentConfig:
    """One agent's identity and surroundings.

    ``key_file`` is where the key is kept, without a passphrase; where it is named, the worker makes
    its next key in time and keeps it there.

    ``issuer`` is the authority's address, as it calls itself. ``systems`` gives each system of
    record's address by name; a step's client reaches its own system and nothing else. ``tls`` is
    whom to believe when asking any of them, and what to show.

    Raises:
        ValueError: a name can be no agent's or system's, or an address no authority's or system's.
    """

    agent: Name
    key: SigningKey = field(repr=False)
    issuer: str
    systems: Mapping[str, str]
    key_file: Path | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        require_name("agent", self.agent, "agent")
        require_issuer(self.issuer)
        for system, address in self.systems.items():
            require_name("systems", system, "system")
            require_address(f"systems: {system}", address, "system")

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
