"""What the authority answers, as the console keeps it, and the ways in which asking fails."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from pydantic import ValidationError

from placet.cli import CommandFailed, subject_named
from placet.client import AuthorityAway, AuthorityError, EvidenceMismatch
from placet.ledger import Entry, EntryError, LedgerError, decode_entry
from placet.model import (
    CaseView,
    CheckpointDefinition,
    CheckpointView,
    InputPart,
    Need,
    ProcessDefinition,
    Prospect,
    ReviewView,
    Verdict,
)


class Away(Exception):
    """The authority does not answer, or not in the form it must; try again later."""


class Refused(Exception):
    """The authority refused, and says why; ``reasons`` are its short words for it."""

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reasons = reasons


class NotShown(Exception):
    """What is shown is not what would be signed; nothing was signed."""


class TooLong(Exception):
    """What was typed does not fit into what is signed; nothing was signed."""


@dataclass(frozen=True)
class Me:
    """Who is signed in."""

    principal: str
    roles: tuple[str, ...]

    @property
    def name(self) -> str:
        """Without the kind."""
        return self.principal.partition(":")[2]


@dataclass(frozen=True)
class Identity:
    """One identity, as the authority lists it."""

    principal: str
    status: str
    roles: tuple[str, ...]
    owner: str | None
    keys: tuple[str, ...]
    enrolled_at: datetime


@dataclass(frozen=True)
class Head:
    """The newest signed head: how many entries, and the root's beginning."""

    size: int
    root: str
    note: str


@dataclass(frozen=True)
class Listed:
    """One entry of the ledger with its index; ``entry`` is missing where it can't be read."""

    index: int
    entry: Entry | None
    text: str


@dataclass(frozen=True)
class CaseFile:
    """All that one screen of a case shows; ``emergency`` says how it began, if it is one."""

    case: CaseView
    checkpoint: CheckpointView
    definition: ProcessDefinition | None
    parts: tuple[InputPart, ...]
    prospect: Prospect
    emergency: ReviewView | None = None

    @property
    def asked(self) -> CheckpointDefinition | None:
        """How the process describes this checkpoint."""
        return self.definition.checkpoint(self.checkpoint.name) if self.definition else None

    @property
    def about(self) -> str | None:
        """What is decided about, as the evidence that is shown names it."""
        return subject_named(self.asked, self.parts)


def changed(shown: CheckpointView, now: CheckpointView) -> bool:
    """Whether a checkpoint asks or shows something else than it did, or has ended."""
    return (shown.evidence_digest, shown.requirement_digest, shown.status) != (
        now.evidence_digest,
        now.requirement_digest,
        now.status,
    )


@contextlib.contextmanager
def ways_to_fail() -> Iterator[None]:
    """Ask the authority inside of this: whatever goes wrong is one of the three."""
    try:
        yield
    except AuthorityError as error:
        if error.status >= 500:
            raise Away(str(error)) from error
        raise Refused(error.problem.error_description, error.problem.reasons) from error
    except AuthorityAway as error:
        raise Away(str(error)) from error
    except EvidenceMismatch as error:
        raise NotShown(str(error)) from error
    except CommandFailed as error:
        raise Refused(str(error)) from error
    except LedgerError as error:
        raise Refused(f"the authority's ledger is not in its form: {error}") from error
    except httpx.InvalidURL as error:
        raise Away(f"that is no address: {error}") from error
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Away("the authority answered in a form that is not its own") from error


def identity_of(body: Mapping[str, Any]) -> Identity:
    """An identity, as it came."""
    return Identity(
        principal=str(body["principal"]),
        status=str(body["status"]),
        roles=tuple(str(each) for each in body["roles"]),
        owner=None if body["owner"] is None else str(body["owner"]),
        keys=tuple(str(each) for each in body["keys"]),
        enrolled_at=datetime.fromisoformat(body["enrolled_at"]),
    )


def word_of(view: CheckpointView, principal: str) -> str | None:
    """What a person has said and not taken back."""
    said = [each.verdict for each in view.decisions if each.operator == principal]
    return said[-1] if said and said[-1] != Verdict.WITHDRAW.value else None


def roles_of(needs: Sequence[Need]) -> tuple[str, ...]:
    """Every role that is asked for, once."""
    return tuple(dict.fromkeys(role for need in needs for role in need.roles))


def listed(index: int, text: str) -> Listed:
    """An entry, as it came; without its meaning where it can't be read."""
    try:
        return Listed(index, decode_entry(text.encode()), text)
    except EntryError:
        return Listed(index, None, text)


def read_details(text: str) -> str:
    """A JSON text with its members one below the other; as it is where it is none."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
