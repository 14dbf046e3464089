"""A process as it is registered: its definition, its workflow, and what its cases take along."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from placet.model import CheckpointView, Digest, InputPart, ProcessDefinition, RecordId
from placet.process._code import code_digest


@dataclass(frozen=True)
class Attached:
    """What was put into a system of record, and the version that it has there."""

    record: RecordId
    version: str


@dataclass(frozen=True)
class Paper:
    """A file that is written for people, from what a checkpoint shows."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Process:
    """A process: its signed definition, and the workflow class that orders its steps.

    ``attach`` names further options of opening a case, or of answering its return: each is called
    with the subject and a path, puts what is there into its system of record, and raises
    ``ValueError`` with what is wrong, having put nothing. ``attach_again`` are those that answer a
    return otherwise than they open a case.

    ``document`` fetches a document of a subject by its name and digest, for a person to read.
    ``papers`` names what can be written from a checkpoint and its parts: a letter, a worksheet.
    Both raise ``ValueError`` with what is wrong. They run on the machine of whoever asks.
    """

    definition: ProcessDefinition
    workflow: type
    attach: Mapping[str, Callable[[RecordId, Path], Attached]] = field(default_factory=dict)
    document: Callable[[RecordId, str, Digest], bytes] | None = None
    papers: Mapping[str, Callable[[CheckpointView, Sequence[InputPart]], Paper]] = field(
        default_factory=dict
    )
    attach_again: Mapping[str, Callable[[RecordId, Path], Attached]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The process's name."""
        return self.definition.name

    def attaching(self, *, again: bool) -> Mapping[str, Callable[[RecordId, Path], Attached]]:
        """What its cases take along, at opening or as the answer to a return."""
        return {**self.attach, **self.attach_again} if again else self.attach

    def to_publish(self) -> ProcessDefinition:
        """The definition with the digest of the workflow's code as it is installed here.

        Raises:
            LookupError: the code has no sources here.
        """
        return self.definition.model_copy(update={"code": code_digest(self.workflow)})
