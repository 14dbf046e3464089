"""What an audit has before it, and what the log has said so far."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pydantic import JsonValue, ValidationError

from placet.audit._files import Kept, LogFiles
from placet.audit._report import Collector
from placet.ledger import Entry, EntryError, EntryType, decode_entry
from placet.model import (
    AuthorityMatrix,
    EvidenceItem,
    Intents,
    Part,
    ProcessDefinition,
    digest_bytes,
)
from placet.rules import BadPolicies, LoadedPolicies, load_policies
from placet.tokens import FRESH, TokenError

T = TypeVar("T")
_ERASED = {
    "part-missing",
    "reasoning-missing",
    "evidence-digest",
    "evidence-unsettled",
    "evidence-proposal",
    "requirement",
    "checkpoint-missing",
    "decision-missing",
    "decision-other-evidence",
    "outcome",
    "expiry",
    "grant-approval",
    "act-missing",
    "act-body",
    "act-says-other",
    "archive-missing",
    "attachment-missing",
    "comment-missing",
}
"""What can't be checked once the content of a case was erased under two signatures: what people
saw and said. What the ledger has of it, and every signature that is left, still is."""


WRITTEN_WITHIN = timedelta(minutes=1)
"""How long an authority that is busy takes to write what it has verified, at the most."""

ALL = ""
"""The policies are of all processes."""


@dataclass
class Case:
    """A case as the log opened it, and who had a hand in it so far."""

    process_digest: str
    opened_by: str
    subject: str = ""
    status: str = "opened"
    run: str = ""
    """The run of its workflow that it is in."""
    resubmitters: set[str] = field(default_factory=set[str])
    keyers: set[str] = field(default_factory=set[str])
    index: int = 0
    """Of the entry that opened it."""
    agents: set[str] = field(default_factory=set[str])
    approvers: dict[str, tuple[str, tuple[str, ...]]] = field(
        default_factory=dict[str, tuple[str, tuple[str, ...]]]
    )
    """Who approved at each of its checkpoints whose approval stands: its name, and the people."""
    settled: set[str] = field(default_factory=set[str])
    """The names of the parts that its steps have left."""
    denied: set[str] = field(default_factory=set[str])
    """The reasons for which its steps were denied."""
    newest: dict[str, dict[str, EvidenceItem]] = field(
        default_factory=dict[str, dict[str, EvidenceItem]]
    )
    """The part that was left last, of each name for each record."""
    started: bool = False
    closed_at: datetime | None = None
    archived: bool = False
    stopped_for: str | None = None
    alarm: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it goes on: neither closed, nor stopped for a person to look at."""
        return self.status == "opened" and self.stopped_for is None


@dataclass
class Grant:
    """A grant as the log issued it."""

    issued: Entry
    index: int = 0
    """Of the entry that issued it."""
    ended: str | None = None
    intents: Intents = field(default_factory=Intents)
    """What its system has said that it was about to do, and not what came of it."""
    asked: bool = False
    """Whether its system has ever said that it was about to do something."""
    done: bool = False
    read: frozenset[str] = frozenset()
    """The digests of the parts that its step has read, as its agent signed."""

    @property
    def may_be_done(self) -> bool:
        """Whether what it is for was done, or was begun and its system has told no end yet."""
        return self.done or bool(self.intents)


@dataclass
class Scene:
    """The files, what was published in them, the place of the walk, and what does not hold."""

    files: LogFiles
    collector: Collector
    place: str = ""
    index: int = 0
    """The log's index of the entry that the walk has come to."""
    processes: dict[str, ProcessDefinition] = field(default_factory=dict)
    matrices: dict[str, AuthorityMatrix] = field(default_factory=dict)
    policies: dict[str, LoadedPolicies] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    parts: dict[str, EvidenceItem] = field(default_factory=dict)
    case: str | None = None
    erasing: bool = False
    """Whether the walk has come to the erasure itself, whose signed act stays."""
    erased: dict[str, int] = field(default_factory=dict[str, int])
    """Cases whose content was erased, each with the place of the entry that says so."""
    part_cases: dict[str, str] = field(default_factory=dict)
    published: set[str] = field(default_factory=set)
    """The digests of processes, matrices and policies that were published so far."""
    newest: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """What is in force: of each process its definition and matrix, of all the policies."""
    told: dict[tuple[str, str], JsonValue] = field(default_factory=dict)
    """What the authority told last in a case to leave under a name, by its digest."""

    def left(self, item: EvidenceItem, case: str) -> None:
        """A part that a step or a person left in a case."""
        self.parts[item.digest], self.part_cases[item.digest] = item, case
        if case in self.cases:
            self.cases[case].newest.setdefault(item.name, {})[item.record] = item

    def __post_init__(self) -> None:
        """Read what was published; what can't be read is missing where an entry names it."""
        for place, data in enumerate(self.files.entries):
            if b'"type":"case.erased"' in data:
                try:
                    erased = decode_entry(data)
                except EntryError:
                    continue  # the walk names it
                if erased.type is EntryType.CASE_ERASED and erased.case is not None:
                    self.erased.setdefault(erased.case, place)
        for body in self.files.processes:
            try:
                definition = ProcessDefinition.model_validate_json(body)
            except ValidationError:
                continue
            self.processes[digest_bytes(body.encode())] = definition
        for body in self.files.matrices:
            try:
                matrix = AuthorityMatrix.model_validate_json(body)
            except ValidationError:
                continue
            self.matrices[digest_bytes(body.encode())] = matrix
        for policies, schema in self.files.policies:
            try:
                loaded = load_policies(policies, schema)
            except (BadPolicies, ValueError):
                continue
            self.policies[loaded.digest] = loaded

    def trouble(self, name: str, found: str) -> None:
        """Something does not hold at this entry; of an erased case, content may be gone."""
        if self.case in self.erased and name in _ERASED and not self.erasing:
            self.collector.count("checks that an erased case leaves out")
            return
        self.collector.trouble(name, self.place or "the log", found)

    def publish(self, what: str, of: str, digest: JsonValue) -> None:
        """A person's signed act has published this, of a process or of all, from here on.

        Of a process's versions, the highest is in force.
        """
        self.published.add(str(digest))
        before = self.processes.get(self.newest.get((what, of), ""))
        now = self.processes.get(str(digest))
        if before is None or now is None or now.version >= before.version:
            self.newest[what, of] = str(digest)

    def known(self, what: str, found: Mapping[str, object], digest: JsonValue) -> None:
        """What an entry names by its digest is there, and was published before."""
        self.there(what, found, digest)
        if str(digest) in found and str(digest) not in self.published:
            self.trouble(f"{what}-unpublished", f"nobody has published the {what} {digest}")

    def there(self, what: str, found: Mapping[str, object], digest: JsonValue) -> None:
        """What an entry names by its digest is there."""
        if str(digest) not in found:
            self.trouble(f"{what}-missing", f"the {what} with digest {digest} is not there")

    def in_force(self, what: str, of: str, digest: JsonValue) -> None:
        """What an entry names is what was published last; a bundle has not all that was."""
        if self.files.indices is None and self.newest.get((what, of)) != digest:
            self.trouble(f"{what}-not-in-force", f"{digest} was not the {what} in force then")

    def word(self, name: str, verify: Callable[[], T]) -> T | None:
        """What was signed, if it was; a signature that does not hold is told."""
        try:
            return verify()
        except TokenError as error:
            self.trouble(f"{name}-signature", str(error))
            return None

    def fresh(self, what: str, signed_at: int, entry: Entry) -> None:
        """What a person signs is told when they sign it, or nothing says when they did it."""
        if entry.time.timestamp() - signed_at > (FRESH + WRITTEN_WITHIN).total_seconds():
            self.trouble(f"{what}-late", f"the {what} by {entry.actor} was signed long before")

    def process(self, case: str | None) -> ProcessDefinition | None:
        """The process that a case runs, as it was published and signed."""
        found = self.cases.get(case or "")
        return None if found is None else self.processes.get(found.process_digest)

    def part(self, digest: str) -> Part | None:
        """A settled part, if what is kept of it can be read."""
        kept = self.files.parts.get(digest)
        if kept is None or not kept.fits(digest):
            return None
        try:
            return Part.model_validate({**read_json(kept.content), "salt": kept.salt})
        except (ValueError, TypeError):
            return None

    def content(self, what: str, kept: Mapping[str, Kept], digest: str) -> str | None:
        """What is kept beside the ledger under a salted digest, if it is there and fits."""
        found = kept.get(digest)
        if found is None:
            self.trouble(f"{what}-missing", f"the {what} with digest {digest} is not there")
            return None
        if not found.fits(digest):
            self.trouble(f"{what}-digest", f"the kept {what} is not the one of the ledger")
            return None
        return found.content


def read_json(text: str) -> Any:
    """Read JSON that nobody has vouched for.

    Raises:
        ValueError: it is none, or nested too deep.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
