"""Bodies of the acts that people sign, as compact JWS, and what an act is answered."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from placet.model._archive import RunId
from placet.model._digest import Digest
from placet.model._ids import (
    CaseId,
    Identifier,
    Name,
    RecordId,
)
from placet.model._signed import CompactJws
from placet.model._values import Model


class OpenCase(Model):
    """Body of the act ``case.open``; the act's ``target`` is the subject."""

    process: Name
    subject: RecordId


class Resubmit(Model):
    """Body of the act ``case.resubmit``; the act's ``target`` is the case.

    ``record`` came back with new content; ``version`` is what its system of record calls that.
    """

    record: RecordId
    version: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class SetRoles(Model):
    """Body of ``operator.roles``: all roles that an operator has from now on."""

    roles: tuple[Name, ...] = Field(min_length=1, max_length=20)


class Reason(Model):
    """Why: for ``{agent,operator}.{suspend,resume,offboard}``, ``hold.lift``, ``case.end``, …."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class AdmitCase(Reason):
    """Body of ``case.admit``; ``run_id`` is the run that a person looked at and lets go on.

    ``trouble_digest`` is that of the case as it was looked at (:attr:`CaseView.trouble_digest`).
    """

    trouble_digest: Digest
    run_id: RunId | None = None


class Hold(Model):
    """Body of ``hold.place``; the target is the record. It covers every record below it."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class PublishPolicy(Model):
    """Body of ``policy.publish``: Cedar policies and their schema, as text."""

    policies: Annotated[str, StringConstraints(max_length=1_000_000)]
    cedar_schema: Annotated[str, StringConstraints(max_length=200_000)]


class SignedAct(Model):
    """An act: the JWS, and the body whose digest it signs.

    ``content`` is a file in base64, where the body has the digest of one.
    """

    act: CompactJws
    body: dict[str, JsonValue]
    content: Annotated[str, StringConstraints(max_length=1_400_000)] | None = None


class ActAnswer(Model):
    """What an act did. ``case`` is set for ``case.open``.

    ``proposed``: nothing yet; it waits for a second person's signature.
    """

    act: Identifier | str
    target: str
    entry: int
    case: CaseId | None = None
    status: Literal["done", "proposed"] = "done"
