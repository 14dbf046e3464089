"""What is not as it mostly is: what a reader should look at first, before any recommendation."""

from collections.abc import Iterable, Sequence

from placet.model import (
    Changed,
    Evidence,
    EvidenceDiff,
    Requirement,
    Severity,
    Unusual,
    Verdict,
)
from placet.rules._requirement import why_more
from placet.rules._words import CountedDecision

_MOST = 200
"""Differences of one kind that are told; who needs more looks at the parts."""


def unusual(
    evidence: Evidence,
    requirement: Requirement,
    decisions: Sequence[CountedDecision],
    diff: EvidenceDiff | None,
) -> tuple[Unusual, ...]:
    """What stands out in a checkpoint's evidence, the gravest first. It never says what to do."""
    proposal = evidence.proposal
    found = [
        Unusual(kind="blocking", text=each.message)
        for each in proposal.findings
        if each.severity is Severity.BLOCKING
    ]
    found += [
        Unusual(kind="disagreement", text=f"{each.operator}: {each.verdict.value}")
        for each in decisions
        if each.verdict in {Verdict.ABSTAIN, Verdict.WITHDRAW}
    ]
    found += [
        Unusual(kind="left_by_person", text=f"{item.name}, by {item.agent}")
        for item in evidence.items
        if item.act is not None
    ]
    if diff is not None:
        told = ", ".join(diff.told)
        said = f"it was asked before, as {diff.replaces}"
        found.append(Unusual(kind="asked_again", text=f"{said}; void: {told}" if told else said))
    found += [
        Unusual(kind="warning", text=each.message)
        for each in proposal.findings
        if each.severity is Severity.WARNING
    ]
    if proposal.amount is not None and proposal.requested not in (None, proposal.amount):
        found.append(
            Unusual(
                kind="less_than_asked", text=f"{proposal.amount} of {proposal.requested} asked for"
            )
        )
    found += [Unusual(kind="added_by_matrix", text=why_more(each)) for each in requirement.added]
    return tuple(found)


def compare(
    before: Evidence,
    after: Evidence,
    leads: tuple[dict[str, object], dict[str, object]],
    replaces: str,
    told: Iterable[str],
) -> EvidenceDiff:
    """What is different between two pieces of evidence of one checkpoint.

    ``leads`` are what the leading part of each says; lists of rows in them are compared row by
    row, each named by its ``item`` or ``id``.
    """
    return EvidenceDiff(
        replaces=replaces,
        told=tuple(told),
        amounts=_differences(
            {
                "amount": _money(before.proposal.amount),
                "requested": _money(before.proposal.requested),
            },
            {
                "amount": _money(after.proposal.amount),
                "requested": _money(after.proposal.requested),
            },
        ),
        findings=_differences(
            {each.id: each.message for each in before.proposal.findings},
            {each.id: each.message for each in after.proposal.findings},
        ),
        rows=_differences(_rows(leads[0]), _rows(leads[1])),
        parts=_differences(
            {f"{item.name} of {item.record}": item.digest for item in before.items},
            {f"{item.name} of {item.record}": item.digest for item in after.items},
        ),
    )


def _money(amount: object) -> str | None:
    return None if amount is None else str(amount)


def _rows(data: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for member, listed in data.items():
        for row in listed if isinstance(listed, list) else ():
            name = (row.get("item") or row.get("id")) if isinstance(row, dict) else None
            if name is not None:
                found[f"{member} {name}"] = row
    return found


def _differences(before: dict[str, object], after: dict[str, object]) -> tuple[Changed, ...]:
    names = list(dict.fromkeys([*before, *after]))
    return tuple(
        Changed.model_validate({"what": name, "before": before.get(name), "after": after.get(name)})
        for name in names
        if before.get(name) != after.get(name)
    )[:_MOST]
