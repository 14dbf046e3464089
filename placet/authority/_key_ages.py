"""How long agents' keys count, and how a worker makes its next one (invariant I10).

1. An agent's key counts for as many days as the rules in force say: not a moment longer, at every
   door, since its end stands with the key. New rules change the ends of all keys at once.
2. The next key is named by a signature of the one that counts now, which stays on the ledger, and
   proves itself; it serves the same task queues. The earlier one counts for the overlap, so that no
   step under way is dropped.
3. (I11) Sent again, a rotation is answered the same. A key is replaced once: who comes second, with
   another next key, is refused, since one of the two has stolen it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from placet.authority._core import Core
from placet.authority._errors import Conflict, Invalid
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE, require_active
from placet.authority._registry import owner_of
from placet.authority._requests import Sender, use_sender
from placet.authority._store import IdentityKey, Reader, Tx, table_of
from placet.model import IdentityRules, KeyStanding, canonical_json
from placet.tokens import Algorithm, TokenError, verify_rotation


class KeyAges:
    """Tells workers of their keys' ages, and takes their next ones."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def standing(self, sender: Sender) -> KeyStanding:
        """When the sender's key is to be replaced, and when it ends.

        Raises:
            Unauthenticated: the assertion was used before.
            Forbidden: the agent or its key is not active.
        """

        def look(tx: Tx) -> KeyStanding:
            return _standing(tx, _used(tx, sender))

        return await self._core.store.write(look)

    async def rotate(self, sender: Sender, rotation: str) -> KeyStanding:
        """Take the key of the sender's proof as its next one, as ``rotation`` names it.

        Raises:
            Unauthenticated: the assertion or proof was used before.
            Forbidden: the agent or its key is not active.
            Invalid: the rotation does not name the next key, or that is not for ES256.
            Conflict: another key has replaced it, or the next one is someone's.
        """
        try:
            claims = verify_rotation(
                rotation,
                sender.key,
                agent=sender.principal,
                audience=self._core.issuer,
                now=self._core.clock(),
            )
        except TokenError as error:
            raise Invalid("invalid_request", f"the key rotation: {error}") from None
        if claims.sub != sender.jkt:
            raise Invalid("invalid_request", "the key rotation names another key than the proof's")
        return await self._core.store.write(lambda tx: self._rotate(tx, sender, rotation))

    def _rotate(self, tx: Tx, sender: Sender, rotation: str) -> KeyStanding:
        key = _used(tx, sender)
        proof = sender.proof
        if proof is None or proof.key.algorithm is not Algorithm.ES256:
            raise Invalid("invalid_dpop_proof", "a worker's key is one for ES256")
        known = tx.get(IdentityKey, proof.jkt)
        if known is not None:
            if (known.principal, known.replaces) != (key.principal, key.thumbprint):
                raise Conflict("this key is enrolled already; make another")
            return _standing(tx, known)
        if tx.first(IdentityKey, IdentityKey.replaces == key.thumbprint) is not None:
            raise Conflict("another key has replaced this one; if you did not, it is stolen")
        rules = governance(tx).identities
        until = int((tx.now + timedelta(minutes=rules.overlap_minutes)).timestamp())
        jwk: dict[str, JsonValue] = dict(proof.key.jwk())
        entry = tx.append(
            "key.enrolled",
            key.principal,
            {
                "principal": key.principal,
                "jwk": jwk,
                "roles": [],
                "owner": owner_of(tx, key.principal),
                "replaces": key.thumbprint,
                "until": until,
                "rotation": rotation,
            },
        )
        overlap = datetime.fromtimestamp(until, UTC)
        tx.change(
            IdentityKey,
            key.thumbprint,
            overlap_until=overlap,
            expires_at=min(overlap, _end(key.enrolled_at, rules)),
        )
        tx.add(
            IdentityKey(
                thumbprint=proof.jkt,
                principal=key.principal,
                jwk_json=canonical_json(jwk).decode(),
                status=ACTIVE,
                enrolled_at=tx.now,
                expires_at=_end(tx.now, rules),
                instance=key.instance,
                runs_on_json=key.runs_on_json,
                replaces=key.thumbprint,
                entry=entry,
            )
        )
        found = tx.get(IdentityKey, proof.jkt)
        assert found is not None
        return _standing(tx, found)


def key_end(reader: Reader, principal: str, since: datetime) -> datetime | None:
    """When a key that is enrolled at a time ends: only agents' keys do by themselves."""
    if not principal.startswith("agent:"):
        return None
    return _end(since, governance(reader).identities)


def change_key_ends(tx: Tx, rules: IdentityRules) -> None:
    """Let every agent's key end as new rules say."""
    for key in tx.all(
        IdentityKey,
        table_of(IdentityKey).c.principal.startswith("agent:"),
        IdentityKey.status == ACTIVE,
    ):
        end = _end(key.enrolled_at, rules)
        if key.overlap_until is not None:
            end = min(end, key.overlap_until)
        tx.change(IdentityKey, key.thumbprint, expires_at=end)


def descendants(reader: Reader, thumbprint: str) -> Iterator[IdentityKey]:
    """The keys that replaced a key, one after the other: whoever stole it may have made them."""
    following = reader.first(IdentityKey, IdentityKey.replaces == thumbprint)
    while following is not None:
        yield following
        following = reader.first(IdentityKey, IdentityKey.replaces == following.thumbprint)


def _end(since: datetime, rules: IdentityRules) -> datetime:
    return since + timedelta(days=rules.key_days)


def _used(tx: Tx, sender: Sender) -> IdentityKey:
    """The key behind a request, whose assertion and proof are used up."""
    use_sender(tx, sender)
    require_active(tx, sender.principal, sender.thumbprint, tx.now)
    if not sender.principal.startswith("agent:"):
        raise Invalid("invalid_request", "the keys of agents rotate this way, and no others")
    key = tx.get(IdentityKey, sender.thumbprint)
    assert key is not None  # it is active
    return key


def _standing(reader: Reader, key: IdentityKey) -> KeyStanding:
    rules = governance(reader).identities
    return KeyStanding(
        thumbprint=key.thumbprint,
        since=key.enrolled_at,
        rotate_at=key.enrolled_at + timedelta(days=rules.rotate_days),
        expires_at=key.expires_at or _end(key.enrolled_at, rules),
    )
