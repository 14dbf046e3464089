"""Emergencies that were none, and reviews by who had a hand in them.

Each goes on from a log of the real parts, up to a checkpoint at which one clerk is asked.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from placet.model import BreakGlass, Governance, Need, digest_json
from placet.rules import emergency_requirement
from tests.audit.asked import Asked, last
from tests.audit.pen import Found
from tests.audit.recording import Recorded, find

REVIEW, EMERGENCY, AFTER = "review-" + "0" * 26, "ckpt-" + "0" * 25 + "1", "ckpt-" + "0" * 25 + "2"
RULE = BreakGlass(needs=(Need(roles=("duty",), count=2),), seconds=3600, reviewers=("auditor",))
Forge = Callable[[Asked], Found]


@pytest.fixture
def asked(recorded: Recorded) -> Asked:
    """Made anew for each: it is written in."""
    return Asked(recorded)


def on_duty(asked: Asked, *, rule: bool = True) -> None:
    for name, roles in {"dot": ["duty"], "dan": ["duty", "auditor"]}.items():
        asked.enrol(name, *roles)
    if rule:
        told = Governance(version=1, break_glass=RULE)
        said = {"version": 1, "signatures": 1, "governance_digest": digest_json(told)}
        asked.act("ada", "governance.publish", "governance.published", "governance", told, **said)


def break_glass(asked: Asked, by: str = "dot", **data: Any) -> None:
    said = {
        "case": asked.case,
        "record": asked.subject,
        "checkpoint": asked.checkpoint,
        "emergency": EMERGENCY,
        "review": REVIEW,
        "until": int((asked.now + timedelta(seconds=3603)).timestamp()),
        **data,
    }
    target = str(said["checkpoint"])
    asked.act(by, "glass.break", "glass.broken", target, **said)


def ask_instead(
    asked: Asked, before: str, new: str, why: str, requirement: dict[str, Any] | None = None
) -> None:
    """The checkpoint of an emergency, or after it, on the same evidence."""
    view = asked.view(before)
    first = asked.view(asked.checkpoint)
    begun = asked.now + timedelta(seconds=1)
    made = (
        emergency_requirement(first.requirement, RULE, begun)
        if why == "emergency"
        else first.requirement
    )
    made = made.model_copy(update=requirement or {})
    asked.checkpoints[new] = view.model_copy(
        update={
            "id": new,
            "requirement": made,
            "requirement_digest": digest_json(made),
            "decisions": (),
        }
    )
    said = {
        **asked.opened["data"],
        "checkpoint": new,
        "requirement_digest": digest_json(made),
        "needs": [each.model_dump(mode="json") for each in made.needs],
        "replaces": before,
        why: 1,
    }
    del said["history"]
    asked.of_case("checkpoint.opened", **said)


def begin(asked: Asked, **requirement: Any) -> None:
    """An emergency, as it is."""
    break_glass(asked)
    asked.void()
    ask_instead(asked, asked.checkpoint, EMERGENCY, "emergency", requirement)


def approve(asked: Asked) -> None:
    said = [asked.decided(each, "approve", EMERGENCY) for each in ("dot", "dan")]
    asked.resolve(EMERGENCY, "approved", *said)


def close(asked: Asked, by: str = "una", **data: Any) -> None:
    said = {
        "case": asked.case,
        "record": asked.subject,
        "review": REVIEW,
        "checkpoint": EMERGENCY,
        "justified": True,
        **data,
    }
    body = {"justified": True, "reason": "it flooded"}
    asked.act(by, "review.close", "review.closed", str(said["review"]), body, **said)


def begun_without_a_rule(asked: Asked) -> Found:
    on_duty(asked, rule=False)
    break_glass(asked)
    found = last(asked, "act-refusable")
    asked.void()
    ask_instead(asked, asked.checkpoint, EMERGENCY, "emergency")
    return found | last(asked, "emergency")


def begun_by_nobody(asked: Asked) -> Found:
    on_duty(asked)
    asked.void()
    ask_instead(asked, asked.checkpoint, EMERGENCY, "emergency")
    return last(asked, "emergency")


def begun_by_who_opened_the_case(asked: Asked) -> Found:
    on_duty(asked)
    said = {"roles": ["duty"]}
    asked.act("ada", "operator.roles", "operator.roles_set", "operator:pat", said, **said)
    break_glass(asked, "pat")
    return last(asked, "act-refusable")


def begun_at_no_checkpoint(asked: Asked) -> Found:
    on_duty(asked)
    break_glass(asked, checkpoint=AFTER)
    return last(asked, "act-refusable")


def begun_in_another_case(asked: Asked) -> Found:
    on_duty(asked)
    record = json.loads(asked.entries[find(asked.made(), "case.opened", asked.other)])["record"]
    break_glass(asked, case=asked.other, record=record)
    return last(asked, "emergency")


def begun_after_they_said_no(asked: Asked) -> Found:
    """They were asked, have answered, and two others are asked as if it were an emergency."""
    on_duty(asked)
    asked.resolve(asked.checkpoint, "rejected", asked.decided("cleo", "reject"))
    break_glass(asked, until=asked.in_seconds(3601))
    found = last(asked, "emergency")
    ask_instead(asked, asked.checkpoint, EMERGENCY, "emergency")
    return found | last(asked, "checkpoint-replaces")


def begun_in_an_emergency(asked: Asked) -> Found:
    on_duty(asked)
    begin(asked)
    break_glass(asked, checkpoint=EMERGENCY, emergency=AFTER)
    return last(asked, "emergency")


def lasts_for_longer(asked: Asked) -> Found:
    on_duty(asked)
    break_glass(asked, until=asked.in_seconds(days=1))
    asked.void()
    ask_instead(asked, asked.checkpoint, EMERGENCY, "emergency")
    return last(asked, "emergency")


def asks_one(asked: Asked) -> Found:
    on_duty(asked)
    begin(asked, needs=(Need(roles=("duty",), count=1),))
    return last(asked, "requirement")


def over_at_once(asked: Asked) -> Found:
    on_duty(asked)
    begin(asked)
    asked.void(checkpoint=EMERGENCY)
    ask_instead(asked, EMERGENCY, AFTER, "emergency_over")
    return last(asked, "emergency")


def over_and_never_begun(asked: Asked) -> Found:
    asked.void()
    ask_instead(asked, asked.checkpoint, AFTER, "emergency_over")
    return last(asked, "emergency")


def decided_when_it_was_over(asked: Asked) -> Found:
    """Two hours after it began, and nobody has asked anew what was asked before."""
    on_duty(asked)
    begin(asked)
    asked.after(hours=2)
    asked.decided("dot", "approve", EMERGENCY)
    return last(asked, "decision-refusable")


def decided_by_who_is_not_on_duty(asked: Asked) -> Found:
    on_duty(asked)
    begin(asked)
    asked.decided("cleo", "approve", EMERGENCY)
    return last(asked, "decision-refusable")


def reviewed_by_who_decided(asked: Asked) -> Found:
    on_duty(asked)
    begin(asked)
    approve(asked)
    close(asked, "dan")
    return last(asked, "act-refusable")


def reviewed_by_who_opened_the_case(asked: Asked) -> Found:
    on_duty(asked)
    begin(asked)
    approve(asked)
    said = {"roles": ["auditor"]}
    asked.act("ada", "operator.roles", "operator.roles_set", "operator:pat", said, **said)
    close(asked, "pat")
    return last(asked, "act-refusable")


def reviewed_by_a_clerk(asked: Asked) -> Found:
    on_duty(asked)
    begin(asked)
    approve(asked)
    close(asked, "cleo")
    return last(asked, "act-refusable")


def reviewed_while_it_went_on(asked: Asked) -> Found:
    on_duty(asked)
    begin(asked)
    close(asked)
    return last(asked, "emergency")


def reviewed_twice(asked: Asked) -> Found:
    on_duty(asked)
    begin(asked)
    approve(asked)
    close(asked)
    close(asked)
    return last(asked, "emergency")


def reviewed_in_another_case(asked: Asked) -> Found:
    on_duty(asked)
    begin(asked)
    approve(asked)
    record = json.loads(asked.entries[find(asked.made(), "case.opened", asked.other)])["record"]
    close(asked, case=asked.other, record=record)
    return last(asked, "emergency")


def reviewed_and_never_begun(asked: Asked) -> Found:
    on_duty(asked)
    close(asked)
    return last(asked, "emergency")


EMERGENCIES: tuple[Forge, ...] = (
    begun_without_a_rule,
    begun_by_nobody,
    begun_by_who_opened_the_case,
    begun_at_no_checkpoint,
    begun_in_another_case,
    begun_after_they_said_no,
    begun_in_an_emergency,
    lasts_for_longer,
    asks_one,
    over_at_once,
    over_and_never_begun,
    decided_when_it_was_over,
    decided_by_who_is_not_on_duty,
    reviewed_by_who_decided,
    reviewed_by_who_opened_the_case,
    reviewed_by_a_clerk,
    reviewed_while_it_went_on,
    reviewed_twice,
    reviewed_in_another_case,
    reviewed_and_never_begun,
)


def test_an_emergency_and_its_review_hold(asked: Asked) -> None:
    """I6: two on duty, and somebody else looks at it afterwards."""
    on_duty(asked)
    begin(asked)
    approve(asked)
    close(asked)
    assert asked.troubles() == set()


def test_an_emergency_that_is_over_holds(asked: Asked) -> None:
    """I6: after its time, what was asked before is asked again."""
    on_duty(asked)
    begin(asked)
    asked.after(hours=1)
    asked.void(checkpoint=EMERGENCY)
    ask_instead(asked, EMERGENCY, AFTER, "emergency_over")
    assert asked.troubles() == set()


@pytest.mark.parametrize("forge", EMERGENCIES, ids=lambda each: each.__name__)
def test_an_emergency_that_is_none_is_found(asked: Asked, forge: Forge) -> None:
    """I6: begun by who may not, or when nothing waited; reviewed by who had a hand in it."""
    expected = forge(asked)
    assert asked.troubles() == expected
