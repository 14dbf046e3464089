"""Process definitions: what a kind of regulated work may do, signed and published once per version.

Everything that decides which agent may take which action on which record follows from here and
the case's subject, never from what a worker or workflow says (invariants I1, I2, I13).
"""

import re
from collections.abc import Collection, Iterable
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from placet.model._checkpoints import CheckpointStatus, ExclusionReason, ExpiryStatus
from placet.model._digest import Digest
from placet.model._findings import CheckId
from placet.model._ids import Action, CaseId, Identifier, Name, RecordId
from placet.model._presentation import DataPath, Presentation
from placet.model._reasoning import Reasoning
from placet.model._signed import Verdict
from placet.model._values import Model, Money

Template = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z][a-z0-9_-]*(?:/(?:[a-z][a-z0-9_-]*|\{[a-z][a-z0-9_]*\}))+$", max_length=200
    ),
]
"""A record's pattern: ``loan/{loan}/draw/{draw}``; each variable stands for one whole segment."""

CLOSES = "case:close"
"""The action of the step that closes a case."""

_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def template_variables(template: str) -> tuple[str, ...]:
    """The names of a template's variables, in order."""
    return tuple(_VARIABLE.findall(template))


class Relation(Model):
    """How a record is derived from a case's subject.

    Variables that the subject binds are replaced. At most one is free: one that must be a number
    below the subject's variable ``earlier_than`` (an earlier draw), or one whose value must be in
    the list fact ``member_of`` that the authority fetches itself (a payee of the loan).
    """

    name: Name
    template: Template
    earlier_than: Identifier | None = None
    member_of: Identifier | None = None


class FactSource(Model):
    """A fact the authority fetches from a system of record: which, and of which relation."""

    name: Identifier
    system: Name
    relation: Name


class Step(Model):
    """One activity type: which agent may take which action, where, on which relation.

    ``inputs`` names evidence parts that the step may read, ``produces`` those it may leave, and
    ``told`` those of them that it must leave word for word as the authority told it.
    ``confirms`` names a part that the step makes again, as another agent: nobody is asked, and
    nothing goes through, before both say the same of it. A step with ``approval`` is guarded: it
    needs that checkpoint's approved outcome, and the grant carries what people fixed.
    """

    activity_type: Identifier
    agent: Name
    action: Action
    system: Name
    relation: Name
    inputs: tuple[Identifier, ...] = ()
    produces: tuple[Identifier, ...] = ()
    told: tuple[Identifier, ...] = ()
    confirms: Identifier | None = None
    approval: Name | None = None
    facts: tuple[Identifier, ...] = ()


class PriorCheckpoint(Model):
    """A checkpoint that must have approved the same proposal first, if it has such findings."""

    checkpoint: Name
    findings_of: tuple[CheckId, ...] = Field(min_length=1)


class NamedIn(Model):
    """Where the evidence names someone who had a hand in it, and what they did.

    ``path`` leads to a text in the part's data, or to many of them through lists. Whoever the text
    could name (:func:`could_name`) may not decide.
    """

    part: Identifier
    path: DataPath
    hand: Literal[ExclusionReason.PREPARED, ExclusionReason.INSPECTED]


class Effect(Model):
    """What a word does at one checkpoint, for whoever is about to sign it."""

    verdict: Literal[Verdict.APPROVE, Verdict.REJECT, Verdict.RETURN]
    says: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class CheckpointDefinition(Model):
    """A place where a case waits for people.

    ``evidence`` names the parts that people are shown; ``proposal`` the one whose proposal they
    decide on, and ``after`` the checkpoints that come before it. ``deadline_seconds`` is how long
    it stays open, and ``expires_as`` what it has ended as then: never as approved. ``adjustments``
    and ``keyed`` name the parts in which people lower an amount row by row, or key what could not
    be read; without a name they can't. ``named`` says where the evidence names its preparers and
    inspectors, and ``decided_by`` where its proposal names the one person who decides.
    ``about`` is where its proposal has the id of what is decided about, if the subject does not say
    it: lists keep it in clear. ``effects`` say what words do, where tools would say otherwise.
    """

    name: Name
    title: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    evidence: tuple[Identifier, ...] = Field(min_length=1)
    proposal: Identifier
    after: tuple[PriorCheckpoint, ...] = ()
    deadline_seconds: int = Field(default=7 * 86_400, ge=1, le=366 * 86_400)
    adjustments: Identifier | None = None
    keyed: Identifier | None = None
    expires_as: ExpiryStatus = "expired"
    named: tuple[NamedIn, ...] = ()
    decided_by: DataPath | None = None
    about: DataPath | None = None
    effects: tuple[Effect, ...] | None = None

    @property
    def left_by_people(self) -> tuple[Identifier, ...]:
        """The parts that people may leave here."""
        return tuple(each for each in (self.adjustments, self.keyed) if each is not None)


class CheckpointEnd(Model):
    """How the newest checkpoint of a name has ended; ``amount`` is what an approval was for."""

    checkpoint: Name
    status: CheckpointStatus
    amount: Money | None = None

    @model_validator(mode="after")
    def _amount_of_an_approval(self) -> "CheckpointEnd":
        if self.amount is not None and self.status is not CheckpointStatus.APPROVED:
            raise ValueError(f"{self.checkpoint}: only an approval is for an amount")
        return self


class CaseResult(Model):
    """A result that a case may close with, and what the record must show for it.

    ``part`` was settled in the case; one of ``ends`` is how a checkpoint stands, and approved for
    that amount, where it names one; none of ``without`` was settled; a step was denied for the
    reason ``denied_for``. What is not named is not asked for.
    """

    name: Identifier
    part: Identifier | None = None
    ends: tuple[CheckpointEnd, ...] = ()
    without: tuple[Identifier, ...] = ()
    denied_for: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None


class ProcessDefinition(Model):
    """One version of one process.

    ``code`` is the digest of its workflow's sources (:func:`placet.process.code_digest`), set when
    it is published.
    """

    name: Name
    version: int = Field(ge=1, le=2**31 - 1)
    workflow_type: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{0,63}$")]
    orchestrator: Name = "orchestrator"
    subject: Template
    relations: tuple[Relation, ...]
    facts: tuple[FactSource, ...] = ()
    steps: tuple[Step, ...]
    checkpoints: tuple[CheckpointDefinition, ...] = ()
    presentation: Presentation = Presentation()
    results: tuple[CaseResult, ...] = ()
    reasonings: tuple[Reasoning, ...] | None = None
    code: Digest | None = None

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> "ProcessDefinition":
        relations = [relation.name for relation in self.relations]
        checkpoints = [checkpoint.name for checkpoint in self.checkpoints]
        facts = [fact.name for fact in self.facts]
        steps = [step.activity_type for step in self.steps]
        produced = {part for step in self.steps for part in step.produces}
        left = {part for each in self.checkpoints for part in each.left_by_people}
        if produced & left:
            raise ValueError(f"{self.name}: {min(produced & left)} is a step's part and people's")
        parts = produced | left
        results = [result.name for result in self.results]
        if not results and any(step.action == CLOSES for step in self.steps):
            raise ValueError(f"{self.name}: a step closes its cases, and no result is named")
        for kind, names in (
            ("relation", relations),
            ("checkpoint", checkpoints),
            ("fact", facts),
            ("step", steps),
            ("result", results),
        ):
            if len(names) != len(set(names)):
                raise ValueError(f"{self.name}: a {kind} is named twice")
        _need(self.name, "relation", relations, (step.relation for step in self.steps))
        _need(self.name, "relation", relations, (fact.relation for fact in self.facts))
        _need(self.name, "checkpoint", checkpoints, (s.approval for s in self.steps if s.approval))
        _need(self.name, "fact", facts, (fact for step in self.steps for fact in step.facts))
        _need(self.name, "evidence part", parts, (p for s in self.steps for p in s.inputs))
        for step in self.steps:
            _need(self.name, f"part of {step.activity_type}", step.produces, step.told)
        _need(self.name, "evidence part", produced, (s.confirms for s in self.steps if s.confirms))
        for checkpoint in self.checkpoints:
            _need(self.name, "evidence part", parts, checkpoint.evidence)
            _need(self.name, "evidence part", produced, (checkpoint.proposal,))
            shown = f"evidence part of {checkpoint.name}"
            _need(self.name, shown, checkpoint.evidence, (each.part for each in checkpoint.named))
            others = [name for name in checkpoints if name != checkpoint.name]
            _need(self.name, "checkpoint", others, (p.checkpoint for p in checkpoint.after))
        shown_parts = (p for s in self.presentation.sections for p in s.parts)
        _need(self.name, "evidence part", parts, shown_parts)
        bound = template_variables(self.subject)
        said = _VARIABLE.findall(self.presentation.subject)
        _need(self.name, "variable of the subject", bound, said)
        for result in self.results:
            named = (*result.without, *((result.part,) if result.part else ()))
            _need(self.name, "evidence part", produced, named)
            _need(self.name, "checkpoint", checkpoints, (each.checkpoint for each in result.ends))
        for relation in self.relations:
            self._check_relation(relation)
        for fact in self.facts:
            if set(template_variables(self.relation(fact.relation).template)) - set(bound):
                raise ValueError(
                    f"{self.name}: fact {fact.name} is asked about one record, and the relation "
                    f"{fact.relation} has a free variable"
                )
        for reasoning in self.reasonings or ():
            self._check_reasoning(reasoning)
        return self

    def _check_reasoning(self, reasoning: Reasoning) -> None:
        """Its steps exist, are one agent's, and read and leave what they must."""
        think = self.step(reasoning.think)
        if think is None or reasoning.conversation not in think.produces:
            raise ValueError(f"{self.name}: {reasoning.name} has no step that leaves what is said")
        names = [each.name for each in self.reasonings or ()]
        if len(names) != len(set(names)):
            raise ValueError(f"{self.name}: a reasoning is named twice")
        needed = [(think, reasoning.conversation)]
        for tool in reasoning.tools:
            step = self.step(tool.step)
            if step is None or step.agent != think.agent or tool.result not in step.produces:
                raise ValueError(
                    f"{self.name}: {reasoning.name}: {tool.step} is no step of {think.agent} that "
                    f"leaves {tool.result}"
                )
            if tool.amount is not None and step.approval is not None:
                raise ValueError(
                    f"{self.name}: {tool.step} is guarded: its amount is what people fixed"
                )
            needed += [(step, reasoning.conversation), (think, tool.result)]
        for step, part in needed:
            if part not in step.inputs:
                raise ValueError(f"{self.name}: {step.activity_type} must be let read {part}")

    def _check_relation(self, relation: Relation) -> None:
        bound = set(template_variables(self.subject))
        free = [name for name in template_variables(relation.template) if name not in bound]
        rules = [rule for rule in (relation.earlier_than, relation.member_of) if rule]
        if len(free) != len(rules) or len(free) > 1:
            raise ValueError(
                f"{self.name}: relation {relation.name} has {len(free)} free variables "
                f"and {len(rules)} rules for them; one each, or none"
            )
        if relation.earlier_than and relation.earlier_than not in bound:
            raise ValueError(
                f"{self.name}: relation {relation.name}: {relation.earlier_than} is not a "
                "variable of the subject"
            )

    def step(self, activity_type: str) -> Step | None:
        """The step of an activity type, or ``None`` if this process has no such step."""
        return next((step for step in self.steps if step.activity_type == activity_type), None)

    def reasoning(self, name: str) -> Reasoning | None:
        """The reasoning of that name, or ``None``."""
        return next((each for each in self.reasonings or () if each.name == name), None)

    def thinks(self, activity_type: str) -> bool:
        """Whether a step calls a language model."""
        return any(each.think == activity_type for each in self.reasonings or ())

    def takes_amount(self, activity_type: str) -> bool:
        """Whether a step is a tool whose calls say an amount."""
        tools = (tool for each in self.reasonings or () for tool in each.tools)
        return any(tool.step == activity_type and tool.amount is not None for tool in tools)

    def relation(self, name: str) -> Relation:
        """The relation of that name.

        Raises:
            KeyError: there is none.
        """
        return {relation.name: relation for relation in self.relations}[name]

    def checkpoint(self, name: str) -> CheckpointDefinition | None:
        """The checkpoint of that name, or ``None``."""
        return next((each for each in self.checkpoints if each.name == name), None)

    def result(self, name: str) -> CaseResult | None:
        """The result of that name, or ``None``: a case may not close with it."""
        return next((each for each in self.results if each.name == name), None)


class CaseInput(Model):
    """The one argument of every process's workflow, given by the authority when it opens a case."""

    case: CaseId
    subject: RecordId


def _need(process: str, kind: str, known: Collection[str], named: Iterable[str]) -> None:
    for name in named:
        if name not in known:
            raise ValueError(f"{process}: there is no {kind} named {name!r}")
