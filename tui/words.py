"""Numbers, times and acts as people say them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from placet.model import (
    CheckpointDefinition,
    Evidence,
    Exclusion,
    ExclusionReason,
    ProcessDefinition,
    ReviewView,
    ValueKind,
    Verdict,
    template_variables,
)

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_EFFECTS: Mapping[Verdict, str] = {
    Verdict.APPROVE: "With every approval that is asked for, exactly this goes on.",
    Verdict.REJECT: "One rejection ends it: nothing of it is done.",
    Verdict.RETURN: "It goes back to who opened it; the checks run again on what comes back.",
    Verdict.ABSTAIN: "You stand aside for good; your word can't count here any more.",
    Verdict.WITHDRAW: "Your earlier word no longer counts; you may decide again.",
}
_HANDS: Mapping[ExclusionReason, str] = {
    ExclusionReason.OPENED: "opened the case",
    ExclusionReason.RESUBMITTED: "handed its record in again",
    ExclusionReason.PREPARED: "prepared it",
    ExclusionReason.INSPECTED: "inspected it",
    ExclusionReason.KEYED: "keyed a value of it",
    ExclusionReason.OWNS_AGENT: "owns",
    ExclusionReason.APPROVED_EARLIER: "approved an earlier one:",
    ExclusionReason.FACT: "has a part in it:",
}


def money(amount: Decimal | None, sign: str = "") -> str:
    """``$184,200.00``; nothing for nothing."""
    if amount is None:
        return ""
    return f"{'-' if amount < 0 else ''}{sign}{abs(amount):,.2f}"


def percent(text: str) -> str:
    """A ratio in per cent, with one place; what is no number is said as it is."""
    try:
        return f"{Decimal(text) * 100:.1f}%"
    except InvalidOperation:
        return text


def written(value: object, kind: ValueKind, sign: str = "") -> str:
    """A value of a part as people write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    if kind is ValueKind.MONEY:
        try:
            return money(Decimal(text), sign)
        except InvalidOperation:
            return text
    if kind is ValueKind.DATE and "T" in text:
        try:
            return clock(datetime.fromisoformat(text))
        except ValueError:
            return text
    return percent(text) if kind is ValueKind.PERCENT else text


def is_number(kind: ValueKind) -> bool:
    """Whether values of a kind stand at the right."""
    return kind in {ValueKind.MONEY, ValueKind.PERCENT, ValueKind.COUNT}


def span(seconds: float) -> str:
    """A length of time in its two largest units: ``3 d 4 h``, ``1 h``, ``12 min``."""
    left = int(abs(seconds))
    if left < _MINUTE:
        return f"{left} s"
    if left < _HOUR:
        return f"{left // _MINUTE} min"
    if left < _DAY:
        return _both(left // _HOUR, "h", left % _HOUR // _MINUTE, "min")
    return _both(left // _DAY, "d", left % _DAY // _HOUR, "h")


def _both(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large} {unit} {small} {smaller}" if small else f"{large} {unit}"


def time_left(deadline: datetime, now: datetime) -> tuple[str, str]:
    """What is left in words, and how it weighs: ``bad``, ``warn`` or ``plain``."""
    seconds = (deadline - now).total_seconds()
    if seconds <= 0:
        return f"over since {span(seconds)}", "bad"
    tone = "bad" if seconds < 4 * _HOUR else "warn" if seconds < 2 * _DAY else "plain"
    return f"{span(seconds)} left", tone


def in_a_row(left: str) -> str:
    """What is left, under a label that says so; of what is over, the larger unit alone."""
    over = left.removeprefix("over since ")
    return left.removesuffix(" left") if over == left else f"over {' '.join(over.split()[:2])}"


def ago(moment: datetime, now: datetime) -> str:
    """How long ago."""
    return f"{span((now - moment).total_seconds())} ago"


def clock(moment: datetime) -> str:
    """A moment in the reader's own zone, with the zone said."""
    local = moment.astimezone()
    return f"{local:%Y-%m-%d %H:%M} {local.tzname() or ''}".rstrip()


def now() -> datetime:
    """Now, for showing; what counts is decided by the authority's clock."""
    return datetime.now(UTC)


def day(moment: datetime) -> date:
    """A moment's day in the reader's zone."""
    return moment.astimezone().date()


def person(principal: str) -> str:
    """A principal without its kind."""
    return principal.partition(":")[2] or principal


def hand_words(each: Exclusion) -> str:
    """Who may not decide, and what hand they had in it."""
    return f"{person(each.person)}: {_HANDS[each.why]} {each.of or ''}".rstrip(" :")


def variables(definition: ProcessDefinition, record: str) -> Mapping[str, str]:
    """What the subject's template binds: its variables by name; none if it does not fit."""
    template, given = definition.subject.split("/"), record.split("/")
    if len(template) != len(given):
        return {}
    names = template_variables(definition.subject)
    bound = {t[1:-1]: g for t, g in zip(template, given, strict=True) if t[1:-1] in names}
    same = all(t == g for t, g in zip(template, given, strict=True) if not t.startswith("{"))
    return bound if same else {}


def subject_words(definition: ProcessDefinition | None, record: str) -> str:
    """What a case is about, as its process says it; the record if it says nothing."""
    if definition is None or not definition.presentation.subject:
        return record
    said = definition.presentation.subject
    bound = variables(definition, record)
    if not bound:
        return record
    for name, value in bound.items():
        said = said.replace("{" + name + "}", value)
    return said


def currency(definition: ProcessDefinition | None) -> str:
    """What the process writes before an amount."""
    return definition.presentation.money if definition else ""


def line_words(definition: ProcessDefinition | None, record: str, about: str | None) -> str:
    """What a row of a list is about, the very thing first where the process names it."""
    said = subject_words(definition, record)
    return said if about is None else f"{about}, {said}"


def act_words(
    verb: str,
    definition: ProcessDefinition | None,
    record: str,
    amount: Decimal | None = None,
    about: str | None = None,
) -> str:
    """``Approve draw 7 of L-1001 for $184,200.00``."""
    said = f"{verb} {line_words(definition, record, about)}"
    return f"{said} for {money(amount, currency(definition))}" if amount is not None else said


def hold_words(record: str) -> str:
    """That a hold on this record stops what is shown."""
    return f"● On hold: {record}. Nothing guarded happens until it is lifted."


def emergency_words(begun: ReviewView) -> str:
    """Until when an emergency is, who began it, and why."""
    why = f": {begun.reason}" if begun.reason else ""
    return f"until {clock(begun.until)}, begun by {person(begun.opened_by)}{why}"


def fixed_words(evidence: Evidence) -> str:
    """What evidence is of, as its digest fixes it: no wording of the process, nor of a list."""
    return f"{evidence.checkpoint} of {evidence.subject}"


def effect_words(asked: CheckpointDefinition | None, verdict: Verdict) -> str:
    """What a word does at a checkpoint: as its process says it, or as it is everywhere."""
    told = (asked.effects or ()) if asked else ()
    return next((each.says for each in told if each.verdict is verdict), _EFFECTS[verdict])
