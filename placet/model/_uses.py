"""What systems of record tell and ask: uses of grants, whether one holds, facts of a record."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints

from placet.model._digest import Digest
from placet.model._ids import (
    Action,
    CaseId,
    GrantId,
    Identifier,
    Jti,
    Principal,
    RecordId,
    SystemPrincipal,
    Thumbprint,
)
from placet.model._signed import Audience, CompactJws, NumericDate
from placet.model._values import Model, UtcTime


class UseStage(StrEnum):
    """What a system of record tells of a use."""

    INTENT = "intent"
    RESULT = "result"
    USE = "use"


class Intents:
    """Which intents under one grant stand open, as its system's uses are told one after another.

    A result names its intent: ``result-N`` ends ``intent-N`` alone, whichever is told first. Any
    other ends the first that is open, and none that is told after it.
    """

    def __init__(self) -> None:
        self._open: list[str] = []
        self._ended: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._open)

    def told(self, use: Jti, stage: UseStage) -> None:
        """The system's next word on a use of the grant."""
        if stage is UseStage.INTENT and use not in self._ended:
            self._open.append(use)
        elif stage is UseStage.RESULT:
            self._end(use)

    def _end(self, result: Jti) -> None:
        of, _, number = result.partition("-")
        own = f"intent-{number}" if of == "result" else None
        if own in self._open:
            self._open.remove(own)
            return
        if own is not None:
            self._ended.add(own)
        others = (each for each in self._open if own is None or not each.startswith("intent-"))
        first = next(others, None)
        if first is not None:
            self._open.remove(first)


class GrantUse(Model):
    """One use of a grant at a system of record. ``id`` makes it count once (:class:`Intents`).

    ``details_digest`` is ``digest_json`` of the ``authorization_details`` that the grant came with,
    and ``jkt`` the key that it is bound to.
    """

    id: Jti
    grant: GrantId
    details_digest: Digest
    jkt: Thumbprint
    stage: UseStage
    action: Action
    record: RecordId
    status: int = Field(ge=0, le=599)
    body_digest: Digest | None = None
    used_at: UtcTime


class UseClaims(Model):
    """A system of record's signed word on one use: ``jti`` is the use, ``sub`` the grant.

    What the grant said that it was shown, and to whose key it was bound, is part of its word:
    whoever signs grants could show it another under the same id.
    """

    iss: SystemPrincipal
    aud: Audience
    iat: NumericDate
    jti: Jti
    sub: GrantId
    details_digest: Digest
    jkt: Thumbprint
    stage: UseStage
    action: Action
    record: RecordId
    status: int = Field(ge=0, le=599)
    body_digest: Digest | None = None
    used_at: NumericDate


class GrantUses(Model):
    """Body of ``POST /v1/uses``: JWS over :class:`UseClaims`, all under the system's own key."""

    client_assertion: CompactJws
    uses: tuple[CompactJws, ...] = Field(min_length=1, max_length=256)


class GrantUsesAnswer(Model):
    """Which uses were refused, by id and reason; all others are durable."""

    refused: dict[str, str] = Field(default_factory=dict)


class Introspection(Model):
    """Answer of RFC 7662 introspection; all members but ``active`` are absent if not active."""

    active: bool
    sub: Principal | None = None
    aud: str | None = None
    exp: int | None = None
    jti: GrantId | None = None
    txn: CaseId | None = None
    jkt: Thumbprint | None = None


class Revocation(Model):
    """A grant that ended before its time. ``cursor`` rises with each."""

    cursor: int
    grant: GrantId


class Revocations(Model):
    """Answer of ``GET /v1/revocations``: what came after the cursor asked for, and the last one.

    ``complete`` says that nothing came after ``cursor`` when the authority looked; the cursor is
    lower than the one asked for if the feed has never come that far.
    """

    revocations: tuple[Revocation, ...]
    cursor: int
    complete: bool = False


class FactsAnswer(Model):
    """What a system of record says of a record, with the version of the record that said it."""

    record: RecordId
    version: Annotated[str, StringConstraints(max_length=64)]
    facts: dict[Identifier, JsonValue]
