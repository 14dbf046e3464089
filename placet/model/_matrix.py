"""The lender's delegation of authority: who must decide what, as data that a person signed.

1. Tiers go by amount and rise; a proposal without an amount falls into the highest.
2. Everything else only adds: needs where a fact or an exception asks for them, people who may not
   decide, roles without which a finding can't be accepted. Nothing in a matrix takes away what a
   tier asks.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from placet.model._findings import CheckId
from placet.model._ids import Identifier, Name
from placet.model._time import Calendar, TimeRule
from placet.model._values import Model, Money

MAX_STAGES = 9
"""Nobody signs after more people than this, one after the other."""

FactText = Annotated[str, StringConstraints(max_length=200)]


class Mode(StrEnum):
    """How far agents go alone in a process. Only people change it."""

    AUDIT = "audit"
    ASSIST = "assist"
    AUTOMATIC = "automatic"


class Need(Model):
    """So many people, each in one of these roles. One person fills one place of one need.

    Needs of a later ``stage`` are heard once those of every earlier one are met; needs of the same
    stage may be met in any order.
    """

    roles: tuple[Name, ...] = Field(min_length=1)
    count: int = Field(ge=1, le=20)
    stage: int = Field(default=1, ge=1, le=MAX_STAGES)


class Tier(Model):
    """The needs for proposals up to an amount, inclusive; ``None`` is above every limit."""

    up_to: Money | None = None
    needs: tuple[Need, ...] = Field(min_length=1)


class Condition(Model):
    """What a fact that the authority fetches must be: one of these values, or at least a number.

    Exactly one of the two is given. A fact that is not there can't be judged: nobody is asked
    until it is.
    """

    fact: Identifier
    one_of: tuple[FactText | bool | int, ...] | None = Field(default=None, min_length=1)
    at_least: int | None = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> "Condition":
        if (self.one_of is None) == (self.at_least is None):
            raise ValueError(f"the condition on {self.fact} gives one_of or at_least, one of them")
        return self


class Addition(Model):
    """Needs that are added where every condition holds. ``name`` says in the proof which it was."""

    name: Name
    when: tuple[Condition, ...] = Field(min_length=1)
    needs: tuple[Need, ...] = Field(min_length=1)


class NotAgain(Model):
    """Who approved at this checkpoint in the last cases may not approve here.

    ``cases`` counts closed cases whose subject has the same values for the variables ``same``:
    with ``("loan",)`` and 1, the approvers of the loan's draw before this one.
    """

    cases: int = Field(ge=1, le=20)
    same: tuple[Identifier, ...] = Field(min_length=1)


class Acceptors(Model):
    """The roles that may accept blocking findings of these checks as exceptions."""

    checks: tuple[CheckId, ...] = Field(min_length=1)
    roles: tuple[Name, ...] = Field(min_length=1)


class CheckpointRule(Model):
    """The lender's rule for one checkpoint.

    ``exception_adds`` is added where a blocking finding must be accepted, ``additions`` where
    facts ask for it. ``independent_of`` names a list fact of people (who granted the loan): at
    least one approver must not be among them. ``excluded_by`` names list facts of people of whom
    none may decide. Findings of checks that no ``acceptors`` name may be accepted by whoever
    approves.
    """

    checkpoint: Name
    tiers: tuple[Tier, ...] = Field(min_length=1)
    exception_adds: tuple[Need, ...] = ()
    additions: tuple[Addition, ...] = ()
    independent_of: Identifier | None = None
    excluded_by: tuple[Identifier, ...] = ()
    not_again: NotAgain | None = None
    acceptors: tuple[Acceptors, ...] = ()
    time: TimeRule | None = None

    @model_validator(mode="after")
    def _rises(self) -> "CheckpointRule":
        limits = [tier.up_to for tier in self.tiers]
        bounded = [limit for limit in limits if limit is not None]
        if limits[-1] is not None or limits[:-1] != bounded or bounded != sorted(set(bounded)):
            raise ValueError(
                f"{self.checkpoint}: tiers must rise, and only the last has no upper limit"
            )
        return self

    @model_validator(mode="after")
    def _names_each_once(self) -> "CheckpointRule":
        checks = [check for each in self.acceptors for check in each.checks]
        for what, names in (
            ("addition", [each.name for each in self.additions]),
            ("check among the acceptors", checks),
        ):
            if len(names) != len(set(names)):
                raise ValueError(f"{self.checkpoint}: an {what} is named twice")
        return self

    @property
    def fact_names(self) -> tuple[str, ...]:
        """The facts that the rule rests on, each once."""
        named = [condition.fact for each in self.additions for condition in each.when]
        named += [*self.excluded_by]
        if self.independent_of is not None:
            named.append(self.independent_of)
        return tuple(dict.fromkeys(named))


class AuthorityMatrix(Model):
    """The lender's delegation of authority for one process, published by a signed act.

    ``automatic_limit`` is the most that automatic mode pays without a person; ``openers`` are
    the roles that may open a case, ``keyers`` those that may key what could not be read (none:
    nobody may). ``retention_days`` is how long after its close a case must be kept; without it no
    case of the process is ever erased.
    """

    process: Name
    version: int = Field(ge=1, le=2**31 - 1)
    mode: Mode
    automatic_limit: Money
    rules: tuple[CheckpointRule, ...] = Field(min_length=1)
    openers: tuple[Name, ...] = ()
    keyers: tuple[Name, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    retention_days: int | None = Field(default=None, ge=0, le=36_600)

    @model_validator(mode="after")
    def _its_calendars_are_there(self) -> "AuthorityMatrix":
        named = [each.name for each in self.calendars]
        if len(named) != len(set(named)):
            raise ValueError(f"{self.process}: a calendar is named twice")
        for rule in self.rules:
            asked = None if rule.time is None else rule.time.calendar
            if asked is not None and asked not in named:
                raise ValueError(f"{rule.checkpoint}: there is no calendar {asked!r}")
        return self

    @model_validator(mode="after")
    def _one_rule_a_checkpoint(self) -> "AuthorityMatrix":
        named = [rule.checkpoint for rule in self.rules]
        if len(named) != len(set(named)):
            raise ValueError(f"{self.process}: a checkpoint has two rules")
        return self

    def calendar(self, name: str) -> Calendar:
        """The calendar of that name, which a rule names."""
        return {each.name: each for each in self.calendars}[name]

    def rule(self, checkpoint: str) -> CheckpointRule | None:
        """The rule of a checkpoint, or ``None``: then nobody can approve it."""
        return next((rule for rule in self.rules if rule.checkpoint == checkpoint), None)
