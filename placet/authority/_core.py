"""What every part of the authority shares, handed in: store, Temporal, keys, clock, randomness."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from placet.authority._settings import AuthoritySettings
from placet.authority._signing import SigningKeys
from placet.authority._store import Store
from placet.authority._temporal import Temporal
from placet.model import Salt, spell_id


@dataclass(frozen=True)
class Core:
    """The authority's surroundings. ``random`` gives that many unguessable bytes."""

    settings: AuthoritySettings
    store: Store
    temporal: Temporal
    keys: SigningKeys
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]

    @property
    def issuer(self) -> str:
        """The authority's address: ``iss`` of its tokens, ``aud`` of everything sent to it."""
        return self.settings.issuer

    def new_id(self, prefix: str) -> str:
        """A fresh id: 128 random bits."""
        return spell_id(prefix, self.random(16))

    def new_salt(self) -> Salt:
        """A fresh salt: 32 random bytes in base64url."""
        return base64.urlsafe_b64encode(self.random(32)).decode().rstrip("=")
