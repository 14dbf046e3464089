"""What a system of record's own tests ask it under: no authority, no agent, no Temporal.

A rehearsed authority gives genuine grants, under a key that it has made for the test, with proofs
by the key that each is bound to; the guard verifies them as any other. It takes what the system
tells of uses as the real one does: signed, each id once, an intent only under a live grant. Nobody
is asked whether policy permits what it grants: ``placet policy check`` and a case tell.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from placet.clock import system_clock
from placet.model import Action, CaseId, Digest, Name, RecordId, UseClaims, digest_bytes
from placet.resource._guard import Guard
from placet.resource._rehearsed import Rehearsed, RehearsedGuard
from placet.resource._replay import ReplayCache
from placet.tokens import SigningKey, make_proof

__all__ = ["CASE", "RehearsedAuthority", "Shown", "Wrong"]

CASE = "case-" + "0" * 26
"""The case of a rehearsed grant that names no other."""

_APPROVAL, _EVIDENCE = "rehearsed-approval", digest_bytes(b"rehearsed")


@dataclass(frozen=True, slots=True)
class Shown:
    """A grant, or the authority's own question, with the key that it is bound to."""

    id: str
    token: str = field(repr=False)
    key: SigningKey = field(repr=False)
    url: str

    def headers(self, method: str, path: str) -> dict[str, str]:
        """The headers of one request: the token, and a proof that was not used before."""
        proof = _proof(self.key, method, self.url + path, self.token)
        return {"Authorization": f"DPoP {self.token}", "DPoP": proof}


@dataclass(frozen=True, slots=True)
class Wrong:
    """The headers of a request that must not be let through, and what it must be answered."""

    headers: dict[str, str] = field(repr=False)
    status: int


class RehearsedAuthority:
    """An authority for the tests of one system of record, in the test's own process.

    Args:
        system: the system's name.
        url: its address, as the tests' client spells it; Starlette's ``TestClient`` if not said.
    """

    def __init__(self, system: Name, url: str = "http://testserver") -> None:
        self._url = url.rstrip("/")
        self._it = Rehearsed(system)

    def guard(self, proofs: ReplayCache | None = None) -> Guard:
        """The guard of the system, or of one more of its replicas."""
        return RehearsedGuard(self._it, self._url, proofs)

    def grant(
        self,
        action: Action,
        record: RecordId,
        *,
        case: CaseId = CASE,
        max_amount: Decimal | None = None,
        payments_digest: Digest | None = None,
        record_version: str | None = None,
    ) -> Shown:
        """A grant for one attempt of a step, for a minute: another attempt has another grant.

        With any of the last three it is one that people approved, as the authority would give it.
        """
        what: dict[str, object] = {"actions": (action,), "identifier": record, "case": case}
        if (max_amount, payments_digest, record_version) != (None, None, None):
            what |= {
                "max_amount": Decimal("0.00") if max_amount is None else max_amount,
                "payments_digest": payments_digest,
                "record_version": record_version,
                "approvals": (_APPROVAL,),
                "evidence_digest": _EVIDENCE,
            }
        key = SigningKey.generate()
        claims, token = self._it.grant(what, key.thumbprint, system_clock())
        return Shown(claims.jti, token, key, self._url)

    def inquiry(self, record: RecordId) -> Shown:
        """The authority's own question about a record, for a route that tells facts."""
        return self._other(None, record)

    def revoke(self, grant: Shown) -> None:
        """End a grant before its time; the guard hears of it at once."""
        self._it.ended.append(grant.id)

    def hold(self, *, on: bool = True) -> None:
        """Place a hold on every record, or lift it: no intent is taken meanwhile."""
        self._it.on_hold = on

    def leave(self, *, on: bool = True) -> None:
        """Answer nothing, so that what guards have heard is too old; or be back."""
        self._it.away = on

    def lose(self, *, on: bool = True) -> None:
        """Take what is told of uses, and lose the answer on its way; or lose no more."""
        self._it.loses = on

    def told(self, count: int, seconds: float = 5.0) -> tuple[UseClaims, ...]:
        """What the system has signed and told of uses, in order, once there are so many.

        It blocks its thread until then: in a test that shares the system's event loop, wait for it
        with ``asyncio.to_thread``.

        Raises:
            AssertionError: when the time is over there are fewer, or there are more.
        """
        it = self._it
        with it.told:
            it.told.wait_for(lambda: len(it.uses) >= count, seconds)
            found = tuple(it.uses)
        if len(found) != count:
            said = [f"{each.stage.value} {each.status}" for each in found]
            raise AssertionError(f"the system told of {len(found)} uses, not {count}: {said}")
        return found

    def wrong(
        self, method: str, path: str, *, action: Action | None, record: RecordId
    ) -> dict[str, Wrong]:
        """What a route must not let through, by name, which does ``action`` on ``record``.

        An ``action`` of ``None`` is for a route that tells facts: the authority alone asks it.
        """
        good, other = self._other(action, record), self._other(action, record)
        long_ago = system_clock() - timedelta(hours=1)
        bare, stranger = {"Authorization": f"DPoP {good.token}"}, SigningKey.generate()
        proofs = {
            "a proof by another key": _proof(stranger, method, good.url + path, good.token),
            "a proof for another token": other.headers(method, path)["DPoP"],
            "a proof for another path": good.headers(method, path + "0")["DPoP"],
            "a proof for another method": good.headers(method + "0", path)["DPoP"],
        }
        # Who shows one of these has its key, and makes the proof that belongs to it.
        tokens = {
            "of another authority": (self._other(action, record, signer=stranger), 401),
            "for another system": (self._other(action, record, system="another"), 401),
            "expired": (self._other(action, record, begins=long_ago), 401),
            "for another record": (self._other(action, _beside(record)), 403),
        }
        if action is None:
            tokens["a grant"] = (self.grant("any:thing", record), 401)
        else:
            tokens["for another action"] = (self.grant("another:thing", record), 403)
            tokens["the authority's question"] = (self.inquiry(record), 401)
            tokens["revoked"] = (self.grant(action, record), 401)
            self.revoke(tokens["revoked"][0])
        bearer = {**good.headers(method, path), "Authorization": f"Bearer {good.token}"}
        return {
            "nothing": Wrong({}, 401),
            "no proof": Wrong(bare, 401),
            "a bearer's": Wrong(bearer, 401),
            **{name: Wrong({**bare, "DPoP": proof}, 401) for name, proof in proofs.items()},
            **{
                name: Wrong(shown.headers(method, path), status)
                for name, (shown, status) in tokens.items()
            },
        }

    def _other(
        self,
        action: Action | None,
        record: RecordId,
        *,
        system: Name | None = None,
        signer: SigningKey | None = None,
        begins: datetime | None = None,
    ) -> Shown:
        """A grant, or a question without an action, that may be wrong in one thing."""
        key, begins = SigningKey.generate(), begins or system_clock()
        if action is None:
            asked, token = self._it.inquiry(
                record, key.thumbprint, begins, system=system, signer=signer
            )
            return Shown(asked.jti, token, key, self._url)
        what = {"actions": (action,), "identifier": record, "case": CASE}
        given, token = self._it.grant(what, key.thumbprint, begins, system=system, signer=signer)
        return Shown(given.jti, token, key, self._url)


def _proof(key: SigningKey, method: str, url: str, token: str) -> str:
    jti = secrets.token_urlsafe(18)
    return make_proof(key, method, url, now=system_clock(), jti=jti, access_token=token)


def _beside(record: RecordId) -> RecordId:
    """Another record, whose name differs in the last letter."""
    return record[:-1] + ("1" if record[-1] == "0" else "0")
