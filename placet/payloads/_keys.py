"""A case's payload keys, and what follows from them for whom.

1. A case has secrets of its own (32 random bytes each, with an id); the newest encrypts, all of
   them decrypt.
2. Nobody encrypts with a secret itself: HKDF-SHA256 makes a key of it for the case and a *scope*.
   The scope ``workflow`` is what the orchestrator alone reads; ``agent:NAME`` is what goes to and
   comes from one agent's steps. An agent is given the keys of its own scope only, and can't make
   any other from them.
"""

import base64
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from placet.model import CaseKeys
from placet.payloads._errors import UnknownPayloadKey

WORKFLOW = "workflow"
SECRET_BYTES = 32


def agent_scope(agent: str) -> str:
    """The scope of what goes to and comes from an agent's steps."""
    return f"agent:{agent}"


@dataclass(frozen=True)
class CaseSecret:
    """One secret: a case's own (``scope`` is ``None``), or what follows from it for one scope."""

    id: str
    value: bytes = field(repr=False)

    def derive(self, case: str, scope: str) -> bytes:
        """The key of a scope of a case."""
        info = b"\0".join((b"placet payload v1", case.encode(), self.id.encode(), scope.encode()))
        return HKDF(SHA256(), SECRET_BYTES, salt=None, info=info).derive(self.value)


class Keyring:
    """The keys that somebody holds of one case, newest first; of all scopes, or of one alone."""

    def __init__(
        self, case: str, secrets: tuple[CaseSecret, ...], scope: str | None = None
    ) -> None:
        self.case = case
        self.scope = scope
        self._secrets = secrets
        self._ciphers: dict[tuple[str, str], AESGCM] = {}

    def __repr__(self) -> str:
        """Show ids alone."""
        return f"Keyring({self.case}, {[each.id for each in self._secrets]}, {self.scope})"

    @property
    def newest(self) -> str:
        """The id of the key that encrypts.

        Raises:
            UnknownPayloadKey: the ring is empty: the case's keys were destroyed.
        """
        if not self._secrets:
            raise UnknownPayloadKey(f"case {self.case} has no payload key: it was erased")
        return self._secrets[0].id

    def has(self, key: str) -> bool:
        """Whether there is such a key."""
        return any(each.id == key for each in self._secrets)

    def cipher(self, key: str, scope: str) -> AESGCM:
        """The cipher of a key for a scope.

        Raises:
            UnknownPayloadKey: there is none.
        """
        found = self._ciphers.get((key, scope))
        if found is None:
            found = self._ciphers[key, scope] = AESGCM(self._key(key, scope))
        return found

    def derive(self, purpose: str) -> bytes:
        """32 bytes for another purpose, from the oldest secret: the same for the case's life."""
        if self.scope is not None or not self._secrets:
            raise UnknownPayloadKey(f"case {self.case}: these keys are not for {purpose}")
        return self._secrets[-1].derive(self.case, purpose)

    def for_scope(self, scope: str) -> CaseKeys:
        """What an agent is given: the keys of its scope, and no way to any other."""
        return CaseKeys(
            case=self.case,
            scope=scope,
            keys={each.id: _spell(each.derive(self.case, scope)) for each in self._secrets},
        )

    def for_orchestrator(self) -> CaseKeys:
        """What the orchestrator is given: the case's secrets."""
        return CaseKeys(
            case=self.case, keys={each.id: _spell(each.value) for each in self._secrets}
        )

    @classmethod
    def of(cls, given: CaseKeys) -> "Keyring":
        """The ring of keys that were given."""
        secrets = tuple(CaseSecret(name, _read(text)) for name, text in given.keys.items())
        return cls(given.case, secrets, given.scope)

    def _key(self, key: str, scope: str) -> bytes:
        secret = next((each for each in self._secrets if each.id == key), None)
        if secret is None:
            raise UnknownPayloadKey(f"case {self.case} has no payload key {key!r}")
        if self.scope is None:
            return secret.derive(self.case, scope)
        if scope != self.scope:
            raise UnknownPayloadKey(f"a payload for {scope!r} is not for {self.scope!r} to read")
        return secret.value


def _spell(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")


def _read(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=")
