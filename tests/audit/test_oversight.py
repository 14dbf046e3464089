"""The report on overrides and on approvals in seconds (AI Act, Article 14)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from placet.audit import oversight
from placet.ledger import Entry, EntryError, encode_entry
from placet.model import spell_id

START = datetime(2026, 11, 24, 9, tzinfo=UTC)
CKPT = spell_id("ckpt", bytes(16))


def entry(minute: int, who: str, type_: str, **data: Any) -> bytes:
    return encode_entry(
        Entry(
            time=START + timedelta(minutes=minute),
            type=type_,
            actor=f"operator:{who}",
            data={"checkpoint": CKPT, **data},
        )
    )


def decided(minute: int, who: str, verdict: str, seconds: int | None, *accepted: str) -> bytes:
    return entry(
        minute,
        who,
        "decision.recorded",
        verdict=verdict,
        seconds_open=seconds,
        exceptions=list(accepted),
    )


LOG = [
    decided(0, "ana", "approve", 4),
    decided(1, "ana", "approve", 300),
    decided(2, "ben", "approve", None),
    decided(3, "ben", "reject", 90),
    decided(4, "ana", "approve", 31, "sov.totals#x", "sov.totals#y"),
    entry(5, "cy", "checkpoint.adjusted"),
    entry(6, "cy", "checkpoint.claimed"),
    entry(7, "ana", "decision.withdrawn", verdict="withdraw", seconds_open=400),
]


def test_it_counts_by_person_and_lists_what_is_worth_a_look() -> None:
    found = oversight(LOG)
    ana, ben, cy = found.people
    assert (ana.approvals, ana.withdrawals, ana.exceptions_accepted, ana.hasty) == (3, 1, 2, 1)
    assert ana.median_seconds == (31 + 300) // 2
    assert (ben.rejections, ben.unopened, ben.median_seconds) == (1, 1, 90)
    assert (cy.lowered, cy.approvals) == (1, 0)
    assert [(each.entry, each.kind) for each in found.hasty] == [(0, "hasty"), (2, "unopened")]
    assert [(each.entry, each.kind) for each in found.overrides] == [
        (3, "reject"),
        (4, "exceptions_accepted"),
        (5, "lowered"),
    ]
    assert found.decisions == 6


def test_the_limit_and_the_time_are_the_asker_s() -> None:
    assert [each.seconds for each in oversight(LOG, hasty_seconds=32).hasty] == [4, None, 31]
    some = oversight(LOG, since=START + timedelta(minutes=1), until=START + timedelta(minutes=3))
    assert [each.operator for each in some.people] == ["operator:ana", "operator:ben"]
    assert some.decisions == 2


def test_what_is_no_entry_is_said() -> None:
    with pytest.raises(EntryError):
        oversight([b"{}"])
