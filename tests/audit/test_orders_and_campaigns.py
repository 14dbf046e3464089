"""Orders to owners' tools, and campaigns: what nobody ordered, said or saw.

Of these logs nothing else is genuine, and nothing else is looked at.
"""

from collections.abc import Callable
from typing import Any

import pytest

from placet.governance import DEFINITION
from placet.model import (
    ANOTHER_TRY,
    CONFIRMATION,
    RECERTIFICATION,
    CheckpointView,
    canonical_json,
    digest_json,
)
from tests.audit.asked import last
from tests.audit.pen import BEGUN, Found, Pen
from tests.audit.recording import Recorded
from tests.audit.test_registered import (
    AGENT,
    CASE,
    OLGA,
    OTTO,
    begun,
    leave,
    register,
    rule,
    take_in,
)

BOT, LATE = "bot:nightly", "bot:late"
CAMPAIGN = "autumn"
ORDER = "order-" + "0" * 26
SUBJECT = f"identity-order/{ORDER}"
PROOF = {"credential": "AKIA-2", "at": "2026-03-02T09:00:10Z", "earlier": "disabled"}


@pytest.fixture
def like(recorded: Recorded) -> CheckpointView:
    """A checkpoint, of which those here are made."""
    return next(iter(recorded.files.checkpoints.values()))


def found(pen: Pen, name: str) -> Found:
    return {each for each in pen.troubles() if each[0] == name}


# --- orders ---------------------------------------------------------------------------------


def ordered(pen: Pen, by: str = "ada", **data: Any) -> None:
    said = {"order": ORDER, "goal": "rotate", "source": "aws", "owner": OLGA, "confirm": False}
    body = {"goal": data.get("goal", "rotate"), "reason": "a test"}
    target = data.pop("signed", BOT)
    pen.act(by, "identity.order", "identity.ordered", target, body, **{**said, **data})


def called(pen: Pen, tries: int = 1, **data: Any) -> None:
    _told(pen, "tool.begun", tries=tries, **data)


def proven(pen: Pen, **data: Any) -> None:
    _told(pen, "identity.proven", **{"proof": PROOF, **data})


def _told(pen: Pen, type_: str, case: str = CASE, **data: Any) -> None:
    said = {"order": ORDER, "target": BOT, "goal": "rotate", "grant": "g", **data}
    pen.write(type_, case=case, record=SUBJECT, **said)


def opened(
    pen: Pen, process: str = "identity-rotation", case: str = CASE, subject: str = SUBJECT
) -> None:
    body = {"process": process, "subject": subject}
    digest = digest_json(DEFINITION)
    signed = pen.sign("ada", "case.open", subject, body)
    said = {"process": process, "process_digest": digest, "matrix_digest": "none", "version": 1}
    pen.write("case.opened", actor="operator:ada", case=case, record=subject, **signed, **said)


def approved(pen: Pen, like: CheckpointView, name: str) -> None:
    pen.resolve(pen.shown(like, CASE, name, needs=()), "approved")


def ordered_by_another(pen: Pen, _: CheckpointView) -> None:
    ordered(pen, "otto")


def ordered_as_if_it_were_theirs(pen: Pen, _: CheckpointView) -> None:
    ordered(pen, "otto", owner=OTTO)


def ordered_as_if_no_inventory_said_whose(pen: Pen, _: CheckpointView) -> None:
    take_in(pen, "api-key:aws/1")
    ordered(pen, "otto", owner=OTTO, signed="api-key:aws/1")


def ordered_as_if_somebody_owned_it(pen: Pen, _: CheckpointView) -> None:
    take_in(pen, "api-key:aws/1", owner=None)
    ordered(pen, "otto", owner=OTTO, signed="api-key:aws/1")


def ordered_by_who_owned_it_before(pen: Pen, _: CheckpointView) -> None:
    take_in(pen, BOT, owner=OTTO)
    ordered(pen, "olga")


def ordered_twice(pen: Pen, _: CheckpointView) -> None:
    ordered(pen)
    ordered(pen)


def ordered_something_unknown(pen: Pen, _: CheckpointView) -> None:
    ordered(pen, goal="sell")


def ordered_off_without_a_word(pen: Pen, _: CheckpointView) -> None:
    ordered(pen, goal="offboard")


def ordered_anew_against_the_rules(pen: Pen, _: CheckpointView) -> None:
    rule(pen, confirm_rotation=True)
    ordered(pen)


def called_for_another(pen: Pen, _: CheckpointView) -> None:
    ordered(pen)
    called(pen, target="bot:another")


def called_unconfirmed(pen: Pen, like: CheckpointView) -> None:
    ordered(pen, confirm=True)
    pen.shown(like, CASE, CONFIRMATION, needs=())
    called(pen)


def called_again(pen: Pen, like: CheckpointView) -> None:
    ordered(pen)
    called(pen)
    pen.shown(like, CASE, ANOTHER_TRY, needs=())
    called(pen, 2)


def called_again_on_one_word(pen: Pen, like: CheckpointView) -> None:
    ordered(pen)
    called(pen)
    approved(pen, like, ANOTHER_TRY)
    called(pen, 2)
    called(pen, 3)


def called_again_on_a_word_of_before(pen: Pen, like: CheckpointView) -> None:
    """People had said so before it was called at all, and not since."""
    ordered(pen)
    approved(pen, like, ANOTHER_TRY)
    called(pen)
    called(pen, 2)


def called_when_it_was_proven(pen: Pen, like: CheckpointView) -> None:
    ordered(pen)
    called(pen)
    proven(pen)
    approved(pen, like, ANOTHER_TRY)
    called(pen, 2)


def called_as_if_for_the_first_time(pen: Pen, like: CheckpointView) -> None:
    ordered(pen)
    called(pen)
    approved(pen, like, ANOTHER_TRY)
    called(pen, 1)


def proven_and_never_called(pen: Pen, _: CheckpointView) -> None:
    ordered(pen)
    proven(pen)


def proven_twice(pen: Pen, _: CheckpointView) -> None:
    ordered(pen)
    called(pen)
    proven(pen)
    proven(pen)


def proven_by_nothing(pen: Pen, _: CheckpointView) -> None:
    ordered(pen)
    called(pen)
    proven(pen, proof={"credential": "AKIA-2"})


def proven_before_it_was_ordered(pen: Pen, _: CheckpointView) -> None:
    ordered(pen)
    called(pen)
    proven(pen, proof={**PROOF, "at": "2020-01-01T00:00:00Z"})


def closed_as_done(pen: Pen, _: CheckpointView) -> None:
    opened(pen)
    ordered(pen)
    called(pen)
    pen.write(
        "case.closed", actor="agent:orchestrator", case=CASE, record=SUBJECT, result="rotated"
    )


def closed_as_given_up_when_it_was_proven(pen: Pen, _: CheckpointView) -> None:
    opened(pen)
    ordered(pen)
    called(pen)
    proven(pen)
    pen.write(
        "case.closed", actor="agent:orchestrator", case=CASE, record=SUBJECT, result="given_up"
    )


ORDERS = (
    ordered_by_another,
    ordered_as_if_it_were_theirs,
    ordered_as_if_no_inventory_said_whose,
    ordered_as_if_somebody_owned_it,
    ordered_by_who_owned_it_before,
    ordered_twice,
    ordered_something_unknown,
    ordered_off_without_a_word,
    ordered_anew_against_the_rules,
    called_for_another,
    called_unconfirmed,
    called_again,
    called_again_on_one_word,
    called_again_on_a_word_of_before,
    called_when_it_was_proven,
    called_as_if_for_the_first_time,
    proven_and_never_called,
    proven_twice,
    proven_by_nothing,
    proven_before_it_was_ordered,
    closed_as_done,
    closed_as_given_up_when_it_was_proven,
)


def test_an_order_that_was_confirmed_tried_again_and_proven_holds(like: CheckpointView) -> None:
    """I5, I11: each call on a word of its own."""
    pen = begun()
    register(pen, BOT)
    opened(pen)
    ordered(pen, "olga", confirm=True)
    approved(pen, like, CONFIRMATION)
    called(pen)
    for tries in (2, 3):
        approved(pen, like, ANOTHER_TRY)
        called(pen, tries)
    proven(pen)
    pen.write(
        "case.closed", actor="agent:orchestrator", case=CASE, record=SUBJECT, result="rotated"
    )
    assert found(pen, "order") == set()


def test_who_owns_it_by_an_inventory_orders_it() -> None:
    """I6: and the newest one counts, once its owner's tool has proven what it did as well."""
    pen = begun()
    register(pen, BOT)
    take_in(pen, BOT, owner=OTTO, credential_since=BEGUN)
    ordered(pen, "otto", owner=OTTO)
    called(pen)
    proven(pen)
    leave(pen, OTTO)
    pen.write("identity.orphaned", target=BOT, before=OTTO, until=pen.in_seconds(days=7))
    take_in(pen, BOT, owner=OLGA, credential_since=BEGUN)
    take_in(pen, BOT, owner=None)
    again = {"order": "order-" + "1" * 26}
    ordered(pen, "olga", **again)
    assert found(pen, "order") | found(pen, "registry") == set()


@pytest.mark.parametrize("forge", ORDERS, ids=lambda each: each.__name__)
def test_a_tool_that_was_called_otherwise_than_people_said_is_found(
    like: CheckpointView, forge: Callable[[Pen, CheckpointView], None]
) -> None:
    """I5, I6, I11: by nobody's order, unconfirmed, once too often, without a proof."""
    pen = begun()
    register(pen, BOT)
    forge(pen, like)
    assert found(pen, "order") == last(pen, "order")


# --- campaigns ------------------------------------------------------------------------------


def started(pen: Pen, *identities: str, by: str = "ada") -> None:
    told = {"identities": list(identities or (AGENT,))}
    pen.act(by, "campaign.start", "campaign.started", CAMPAIGN, told, **told)


def acknowledged(pen: Pen, by: str = "mira", **counts: int) -> None:
    told = {"kept": 0, "narrowed": 0, "ended": 0, "suspended": 0, **counts}
    pen.act(by, "campaign.acknowledge", "campaign.acknowledged", CAMPAIGN, told, **told)


def asked(pen: Pen, like: CheckpointView, status: str = "approved", reason: str = "no") -> str:
    """The owner of the campaign's first identity is asked, and answers."""
    opened(pen, DEFINITION.name, subject=f"campaign/{CAMPAIGN}/item/1")
    if status == "approved":
        checkpoint = pen.shown(like, CASE, RECERTIFICATION, needs=())
        pen.resolve(checkpoint, status)
        return checkpoint
    checkpoint = pen.shown(like, CASE, RECERTIFICATION)
    if status == "rejected":
        pen.resolve(
            checkpoint, status, pen.decide("olga", checkpoint, "reject", reason_code=reason)
        )
    return checkpoint


def closed(pen: Pen, result: str) -> None:
    record = f"campaign/{CAMPAIGN}/item/1"
    pen.write("case.closed", actor="agent:orchestrator", case=CASE, record=record, result=result)


def reviewed(pen: Pen, checkpoint: str, outcome: str = "kept", **data: Any) -> None:
    record = data.pop("record", f"campaign/{CAMPAIGN}/item/1")
    said = {"target": AGENT, "campaign": CAMPAIGN, "checkpoint": checkpoint, "outcome": outcome}
    pen.write("identity.reviewed", case=CASE, record=record, **{**said, **data})


def started_twice(pen: Pen, _: CheckpointView) -> str:
    started(pen)
    started(pen)
    return "campaign"


def acknowledged_by_who_began_it(pen: Pen, like: CheckpointView) -> str:
    said = {"roles": ["administrator", "management"]}
    pen.act("ada", "operator.roles", "operator.roles_set", "operator:mira", said, **said)
    started(pen, by="mira")
    reviewed(pen, asked(pen, like))
    acknowledged(pen, kept=1)
    return "campaign"


def acknowledged_by_no_manager(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    reviewed(pen, asked(pen, like))
    acknowledged(pen, "otto", kept=1)
    return "campaign"


def acknowledged_before_it_was_over(pen: Pen, like: CheckpointView) -> str:
    started(pen, AGENT, LATE)
    reviewed(pen, asked(pen, like))
    acknowledged(pen, kept=1)
    return "campaign"


def acknowledged_otherwise(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    reviewed(pen, asked(pen, like))
    acknowledged(pen, ended=1)
    return "campaign"


def acknowledged_twice(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    reviewed(pen, asked(pen, like))
    acknowledged(pen, kept=1)
    acknowledged(pen, kept=1)
    return "campaign"


def acknowledged_and_never_started(pen: Pen, _: CheckpointView) -> str:
    acknowledged(pen)
    return "campaign"


def reviewed_in_no_review(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    checkpoint = pen.shown(like, CASE, RECERTIFICATION, needs=())
    pen.resolve(checkpoint, "approved")
    reviewed(pen, checkpoint)
    return "review"


def reviewed_with_a_word_of_its_own(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    reviewed(pen, asked(pen, like), "sold")
    return "review"


def reviewed_while_its_owner_was_asked(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    reviewed(pen, asked(pen, like, "open"))
    return "review"


def narrowed_though_its_owner_ended_it(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    reviewed(pen, asked(pen, like, "rejected", "end"), "narrowed", actions=["parcel:weigh"])
    return "review"


def ended_though_its_owner_narrowed_it(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    reviewed(pen, asked(pen, like, "rejected", "narrow"), "ended")
    return "review"


def reviewed_at_another_checkpoint(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    asked(pen, like)
    reviewed(pen, "ckpt-" + "9" * 26)
    return "review"


def reviewed_in_anothers_place(pen: Pen, like: CheckpointView) -> str:
    started(pen, LATE, AGENT)
    reviewed(pen, asked(pen, like))
    return "review"


def reviewed_in_no_place(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    reviewed(pen, asked(pen, like), record=f"campaign/{CAMPAIGN}/item/one")
    return "review"


def reviewed_in_the_place_before_the_first(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    reviewed(pen, asked(pen, like), record=f"campaign/{CAMPAIGN}/item/0")
    return "review"


def reviewed_in_no_campaign(pen: Pen, like: CheckpointView) -> str:
    reviewed(pen, asked(pen, like))
    return "review"


def reviewed_twice(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    checkpoint = asked(pen, like)
    reviewed(pen, checkpoint)
    reviewed(pen, checkpoint)
    return "review"


def closed_as_reviewed_otherwise(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    reviewed(pen, asked(pen, like, "rejected", "end"), "ended")
    closed(pen, "narrowed")
    return "review"


def closed_as_if_its_owner_had_said_nothing(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    asked(pen, like, "rejected", "end")
    closed(pen, "too_many_rounds")
    return "review"


def closed_as_reviewed_and_nothing_was(pen: Pen, like: CheckpointView) -> str:
    started(pen)
    asked(pen, like, "rejected", "end")
    closed(pen, "ended")
    return "review"


CAMPAIGNS = (
    started_twice,
    acknowledged_by_who_began_it,
    acknowledged_by_no_manager,
    acknowledged_before_it_was_over,
    acknowledged_otherwise,
    acknowledged_twice,
    acknowledged_and_never_started,
    reviewed_in_no_review,
    reviewed_with_a_word_of_its_own,
    reviewed_while_its_owner_was_asked,
    narrowed_though_its_owner_ended_it,
    ended_though_its_owner_narrowed_it,
    reviewed_at_another_checkpoint,
    reviewed_in_anothers_place,
    reviewed_in_no_place,
    reviewed_in_the_place_before_the_first,
    reviewed_in_no_campaign,
    reviewed_twice,
    closed_as_reviewed_otherwise,
    closed_as_reviewed_and_nothing_was,
    closed_as_if_its_owner_had_said_nothing,
)


def campaigning() -> Pen:
    """A log with the process of reviews, and two identities of olga's."""
    pen = begun()
    pen.processes(canonical_json(DEFINITION).decode())
    register(pen, LATE)
    return pen


def of_campaigns(pen: Pen) -> Found:
    return found(pen, "campaign") | found(pen, "review")


@pytest.mark.parametrize("forge", CAMPAIGNS, ids=lambda each: each.__name__)
def test_a_review_that_its_owner_did_not_give_is_found(
    like: CheckpointView, forge: Callable[[Pen, CheckpointView], str]
) -> None:
    """I6: what came of it is what its owner signed, once, and management saw it."""
    pen = campaigning()
    name = forge(pen, like)
    assert of_campaigns(pen) == last(pen, name)


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [("approved", "", "kept"), ("rejected", "narrow", "narrowed"), ("rejected", "end", "ended")],
)
def test_what_its_owner_said_holds(
    like: CheckpointView, status: str, reason: str, outcome: str
) -> None:
    """I6, I10: kept, narrowed or ended; and nothing is granted beyond that."""
    pen = campaigning()
    started(pen)
    reviewed(pen, asked(pen, like, status, reason), outcome, actions=["parcel:look"])
    closed(pen, outcome)
    acknowledged(pen, **{outcome: 1})
    assert of_campaigns(pen) == set()
    said = {"action": "parcel:weigh", "expires": pen.in_seconds(30), "key": "A" * 43}
    pen.write("grant.issued", actor=AGENT, case=CASE, record=SUBJECT, **said)
    gone = {"narrowed": {"grant-narrowed"}, "ended": {"grant-past-end"}}.get(outcome, set())
    names = {name for name, _ in pen.troubles()}
    assert {"grant-narrowed", "grant-past-end"} & names == gone
