"""The evidence bundle: one case's proof as one ZIP, and how its members are named."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from placet.audit._files import LogFiles
from placet.audit._scene import read_json
from placet.ledger import LedgerError
from placet.model import CaseId, Digest, Model, first_error

MANIFEST, REPORT, ARCHIVE = "manifest.json", "report.html", "archive.json"
HANDOVERS = "handovers.json"
MAX_COUNT = 2**53 - 1
"""The largest whole number that has a canonical form (RFC 8785)."""
FORM = 2
"""The form that is written. Bundles of form 1 were written before there was ``heads.json``."""
_DOT = "%2E"


class BundleError(Exception):
    """It is no bundle that ``placet audit export`` wrote; the message says what and where."""


class Member(Model):
    """One member of a bundle."""

    bytes: int = Field(ge=0, le=MAX_COUNT)
    digest: Digest


class Manifest(Model):
    """What a bundle says of itself: nothing of it is believed, all of it is checked.

    ``v`` is the form that it has.
    """

    v: Literal[1, 2]
    case: CaseId
    origin: str = Field(max_length=300)
    issuer: str = Field(max_length=300)
    size: int = Field(ge=1, le=MAX_COUNT)
    report: int = Field(ge=1, le=MAX_COUNT)
    files: dict[str, Member]


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle that was read; nothing in it is verified yet."""

    manifest: Manifest
    files: LogFiles
    members: Mapping[str, bytes]

    @property
    def case(self) -> str:
        """The case that it is about."""
        return self.manifest.case


def history_name(number: int, runs: int) -> str:
    """The last run's history is ``history.json``; earlier ones have a number."""
    return "history.json" if number == runs else f"history-{number}.json"


def read_entry(index: int, data: bytes) -> dict[str, Any]:
    """An entry as JSON that nobody has vouched for, with its data.

    Raises:
        BundleError: it is none.
    """
    entry = read_json(data.decode())
    if not isinstance(entry, dict) or not isinstance(entry.get("data"), dict):
        raise BundleError(f"entries.jsonl: entry {index} is none")
    return entry


def spell_digest(digest: str) -> str:
    """A digest as a file's name."""
    return digest.replace(":", "-")


def read_digest(name: str) -> str:
    """The digest that a file's name spells."""
    return name.replace("sha-256-", "sha-256:", 1)


def spell_id(jti: str) -> str:
    """An id as a file's name, whoever chose it: no file is hidden, or another folder."""
    return jti.replace(".", _DOT)


def read_id(name: str) -> str:
    """The id that a file's name spells."""
    return name.replace(_DOT, ".")


FORGED = (
    *(ValidationError, LedgerError, ValueError, KeyError),
    *(TypeError, AttributeError, ArithmeticError, RecursionError),
)
"""What a reader raises of a content that nobody has vouched for."""


def plainly(error: Exception) -> str:
    """What a reader of what is forged complained of, in a line."""
    if isinstance(error, ValidationError):
        place, said = first_error(error)
        return f"{place}: {said}" if place else said
    if isinstance(error, KeyError):
        return f"there is no {error}"
    if isinstance(error, UnicodeError):
        return "it is not the text that it must be"
    if isinstance(error, TypeError | AttributeError | ArithmeticError):
        return "it has not the form that it must have"
    return str(error)[:300] or type(error).__name__
