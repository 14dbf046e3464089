"""Invitations and sessions: keys that nobody enrolled by name, and what stands behind them."""

from collections import Counter
from datetime import datetime

from pydantic import JsonValue

from placet.audit._invited import check_enrolment
from placet.audit._scene import Scene
from placet.ledger import Entry
from placet.model import Governance, quantity
from placet.tokens import KeyRefused, PublicKey

SIGN_INS = "sign-ins"
"""The name of what only an ID token could show."""


class Sessions:
    """What the log invited, and the sessions that it began and ended."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._invited: dict[str, Entry] = {}
        self._until: dict[str, float] = {}
        self._key_of: dict[str, str] = {}
        self._issuers: Counter[str] = Counter()

    def lasts(self, thumbprint: str, at: datetime) -> bool:
        """Whether a key is nobody's session's, or its session lasts at this time."""
        until = self._until.get(thumbprint)
        return until is None or at.timestamp() < until

    def invited(self, entry: Entry) -> None:
        """Someone may enrol a key with a code."""
        self._invited[str(entry.data.get("invitation"))] = entry

    def claimed(self, entry: Entry, key: PublicKey) -> None:
        """A code was used: for whom it was made, in their roles, in time, once."""
        invitation = self._invited.pop(str(entry.data.get("invitation")), None)
        principal = entry.data.get("principal")
        if invitation is None:
            self._scene.trouble("key-uninvited", f"{principal} was not invited, or came before")
            return
        said = invitation.data
        if (said.get("target"), said.get("roles")) != (principal, entry.data.get("roles")):
            self._scene.trouble("key-uninvited", f"the invitation of {principal} says otherwise")
        expires = said.get("expires_at")
        if not isinstance(expires, int) or entry.time.timestamp() >= expires + 1:
            self._scene.trouble("key-uninvited", f"the invitation of {principal} had expired")
        check_enrolment(self._scene, entry, key, invitation)

    def started(
        self, entry: Entry, rules: Governance
    ) -> tuple[str, PublicKey, tuple[str, ...]] | None:
        """A session as the rules in force allow it, with its person, key and roles."""
        data = entry.data
        principal = str(data.get("principal"))
        self._issuers[str(data.get("issuer"))] += 1
        try:
            key = PublicKey.from_jwk(data.get("jwk"))
        except KeyRefused as error:
            self._scene.trouble("key", str(error))
            return None
        if dict(key.jwk()) != data.get("jwk"):
            self._scene.trouble("key", f"the key of {principal} is spelled otherwise")
        provider, ends = rules.identity_provider, data.get("ends_at")
        roles = _texts(data.get("roles"))
        if provider is None or provider.issuer != data.get("issuer"):
            self._scene.trouble("session", f"{principal} signed in where nobody is vouched for")
        elif roles != provider.roles_of(_texts(data.get("groups"))):
            self._scene.trouble("session", f"the groups of {principal} give other roles")
        elif not isinstance(ends, int) or (
            ends > entry.time.timestamp() + 60 * provider.session_minutes
        ):
            self._scene.trouble("session", f"the session of {principal} lasts too long")
        self._until[key.thumbprint] = ends if isinstance(ends, int) else 0
        self._key_of[str(data.get("session"))] = key.thumbprint
        return principal, key, roles

    def ended(self, entry: Entry) -> None:
        """A session is over, and its key with it."""
        thumbprint = self._key_of.pop(str(entry.data.get("session")), None)
        if thumbprint is None:
            self._scene.trouble("session", "a session ends that did not last")
            return
        if entry.data.get("key") != thumbprint:
            self._scene.trouble("session", "a session ends with another key than it began with")
        self._until[thumbprint] = min(self._until[thumbprint], entry.time.timestamp())

    def held(self) -> None:
        """Say which sign-ins could not be held against the keys of the provider that is trusted."""
        trusted = self._scene.files.trusted_issuer
        if trusted is None or not self._issuers:
            return
        others = self._issuers.total() - self._issuers[trusted]
        self._scene.collector.unchecked(
            SIGN_INS,
            f"{quantity(self._issuers[trusted], 'sign-in')} at {trusted}, and {others} elsewhere: "
            "the log keeps no ID token, which is personal data, nor a digest of one, so none can "
            "be held against the provider's keys; that it vouched is the authority's word",
        )


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
