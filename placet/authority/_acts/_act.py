"""One act being carried out, and what all acts are read and written with."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from placet.authority._core import Core
from placet.authority._errors import Invalid
from placet.authority._facts import FetchedFacts
from placet.authority._http import describe
from placet.authority._store import ContextBlob, Reader, Tx
from placet.model import ActAnswer, ActClaims, ProcessDefinition, RecordId, salted_digest

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True)
class Act:
    """One act being carried out."""

    claims: ActClaims
    body: Mapping[str, JsonValue]
    roles: tuple[str, ...]
    seen: FetchedFacts
    key: str
    second: str | None = None
    """The act of the second person who signed it, where two are needed."""
    content: str | None = None
    """A file that was sent beside the body, in base64; the body has its digest."""

    @property
    def actor(self) -> str:
        """Who signed it."""
        return self.claims.iss


@dataclass(frozen=True)
class Refused:
    """An act that is not carried out; the refusal is on the ledger."""

    description: str
    reasons: tuple[str, ...]


class No(Exception):
    """The act is not allowed; it is recorded as refused."""

    def __init__(self, description: str, *reasons: str) -> None:
        super().__init__(description)
        self.refused = Refused(description, reasons or ("not_allowed",))


Handler = Callable[[Tx, Act], ActAnswer]
"""Carries out one kind of act."""

Asked = tuple[ProcessDefinition, str, tuple[str, ...]]
"""Process, subject and fact sources to ask."""

About = Callable[[Reader, Act], Asked | None]
"""What to ask systems of record before an act; ``None`` where it will be refused."""


def write_entry(
    tx: Tx,
    type_: str,
    act: Act,
    data: Mapping[str, JsonValue],
    *,
    case: str | None = None,
    record: str | None = None,
) -> int:
    """Write what an act did; the entry names the act and its target."""
    signed = {**signatures(act), "target": act.claims.target}
    return tx.append(type_, act.actor, {**signed, **data}, case=case, record=record)


def signatures(act: Act) -> dict[str, JsonValue]:
    """What an entry says of who signed: the act, and the countersignature where there is one."""
    said: dict[str, JsonValue] = {"act": act.claims.jti}
    return said if act.second is None else {**said, "second": act.second}


def require_role(act: Act, *roles: str) -> None:
    if not set(roles) & set(act.roles):
        raise No(f"{act.claims.act} needs the role {' or '.join(roles) or '(nobody)'}", "role")


def body_of(act: Act, model: type[_M]) -> _M:
    if _has_nul(dict(act.body)):
        raise Invalid("invalid_request", "body: no text of an act has the character U+0000")
    try:
        return model.model_validate_json(json.dumps(act.body))
    except ValidationError as error:
        raise Invalid("invalid_request", f"body: {describe(error)}") from None


def _has_nul(value: JsonValue) -> bool:
    """Whether a text in it has U+0000, which PostgreSQL can't keep."""
    if isinstance(value, dict):
        return any("\0" in name or _has_nul(each) for name, each in value.items())
    if isinstance(value, list):
        return any(_has_nul(each) for each in value)
    return isinstance(value, str) and "\0" in value


def record_of(act: Act) -> str:
    try:
        return TypeAdapter(RecordId).validate_python(act.claims.target)
    except ValidationError:
        raise Invalid("invalid_request", "target: must be a record") from None


def kept_apart(core: Core, tx: Tx, text: str) -> str:
    """Keep a person's words beside the ledger; their salted digest goes on it."""
    salt = core.new_salt()
    digest = salted_digest(salt, text.encode())
    tx.add(ContextBlob(digest=digest, salt=salt, content=text.encode()))
    return digest


def fits(kind: Any, text: str) -> bool:
    """Whether a target is spelled as one of a kind."""
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True
