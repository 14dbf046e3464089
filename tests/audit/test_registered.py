"""Identities as a log tells of them: what their owners, administrators and workers never said.

The log is by its owner, who lets happen what the rules do not; each time at the entry that says so.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from placet.audit._report import Collector
from placet.audit._scene import Scene
from placet.audit._verify import Walk
from placet.ledger import Entry
from placet.model import (
    Governance,
    IdentityRules,
    ImportedIdentity,
    ImportIdentities,
    InviteAgent,
    RegisterIdentity,
    digest_json,
)
from placet.model._registry import Workload
from placet.tokens import SigningKey, invitation_key, sign_enrolment
from tests.audit.asked import last
from tests.audit.pen import BEGUN, Found, Pen

AGENT, OTHER = "agent:scale", "bot:nightly"
OLGA, OTTO = "operator:olga", "operator:otto"
CASE, CAMPAIGN = "case-" + "0" * 26, "autumn"
SUBJECT = f"campaign/{CAMPAIGN}/item/1"
ORDER = "order-" + "0" * 26
WORKLOAD = Workload(issuer="https://platform.example", audience="placet", subject="scale")
LATER = BEGUN + timedelta(days=400)


def begun() -> Pen:
    """An administrator; olga, who owns the agent, otto and mira, a manager."""
    pen = Pen.new("ada")
    pen.enrol("olga", "clerk")
    pen.enrol("otto", "clerk")
    pen.enrol("mira", "management")
    pen.keys[AGENT] = pen.hire(AGENT, OLGA)
    return pen


def rule(pen: Pen, version: int = 1, **rules: Any) -> None:
    told = Governance(version=version, identities=IdentityRules(**rules))
    digest = digest_json(told)
    said = {"version": version, "signatures": 1, "governance_digest": digest}
    pen.act("ada", "governance.publish", "governance.published", "governance", told, **said)


def register(pen: Pen, identity: str, **said: Any) -> None:
    plain = {"owner": OLGA, "purpose": "a test", "environment": "test"}
    dates = {"review_by": LATER, "ends_at": LATER}
    told = RegisterIdentity(**{**plain, **dates, **said})
    pen.act(
        "ada", "identity.register", "identity.registered", identity, told, **told.on_the_ledger()
    )


def take_in(pen: Pen, identity: str, **said: Any) -> None:
    """An inventory names an identity."""
    plain = {"owner": OLGA, "purpose": "a test", "environment": "test"}
    dates = {"review_by": LATER, "ends_at": LATER}
    told = RegisterIdentity(**{**plain, **dates, **said})
    body = ImportIdentities(rows=(ImportedIdentity(identity=identity, said=told),))
    plainly = body.model_dump(mode="json", exclude_none=True)
    data = {"rows": 1, "new": 1, "changed": 0, "rows_digest": digest_json(plainly)}
    pen.act("ada", "identity.import", "identity.imported", "aws", body, **data)


def grant(pen: Pen, **data: Any) -> None:
    """A grant, of which nothing but its agent's standing is looked at here."""
    said = {"action": "parcel:weigh", "expires": pen.in_seconds(30), "key": "A" * 43}
    pen.write("grant.issued", actor=AGENT, case=CASE, record=SUBJECT, **{**said, **data})


# --- keys -----------------------------------------------------------------------------------


def replaced_twice(pen: Pen) -> Found:
    """A worker that was let go goes on beside the next one: under a key of its own, as well."""
    for _ in range(2):
        pen.rotate(AGENT, pen.keys[AGENT], pen.in_seconds(hours=1))
    return last(pen, "key-uninvited")


def goes_on_for_too_long(pen: Pen) -> Found:
    pen.rotate(AGENT, pen.keys[AGENT], pen.in_seconds(days=2))
    return last(pen, "key-uninvited")


def replaced_when_it_was_too_old(pen: Pen) -> Found:
    pen.after(days=90)
    pen.rotate(AGENT, pen.keys[AGENT], pen.in_seconds(hours=1))
    return last(pen, "key-uninvited")


def replaced_after_its_overlap(pen: Pen) -> Found:
    following = pen.rotate(AGENT, pen.keys[AGENT], pen.in_seconds(hours=1))
    del following
    pen.after(hours=2)
    pen.rotate(AGENT, pen.keys[AGENT], pen.in_seconds(hours=1))
    return last(pen, "key-uninvited")


def replaced_while_suspended(pen: Pen) -> Found:
    pen.act("ada", "agent.suspend", "agent.suspended", AGENT)
    pen.rotate(AGENT, pen.keys[AGENT], pen.in_seconds(hours=1))
    return last(pen, "key-uninvited")


def enrolled_for_another_owner(pen: Pen) -> Found:
    pen.hire(AGENT, OTTO)
    return last(pen, "registry")


def invited(pen: Pen, agent: str = AGENT, **data: Any) -> dict[str, Any]:
    """A one-time token for a worker; what the entry of its key says."""
    code = invitation_key(agent, "a token")
    body = InviteAgent(
        environment="test", task_queues=("scale",), invitation_key=code.public.thumbprint
    )
    said = {**body.model_dump(mode="json", exclude={"minutes"}), "invitation": "invitation-1"}
    said["expires_at"] = pen.in_seconds(minutes=15)
    pen.act("ada", "agent.invite", "agent.invited", agent, body, **{**said, **data})
    key = pen.keys["worker"] = SigningKey.generate()
    named = {"audience": "https://pen.example", "now": pen.now}
    return {
        "invitation": "invitation-1",
        "enrolment": sign_enrolment(code, agent, key.public, **named),
        "environment": "test",
        "task_queues": ["scale"],
        "owner": OLGA,
    }


def join(pen: Pen, agent: str = AGENT, **told: Any) -> None:
    pen.enrolled(agent, pen.keys["worker"], actor=agent, **told)


def joined_as_nobodys(pen: Pen) -> Found:
    told = invited(pen, "agent:stray")
    join(pen, "agent:stray", **{**told, "owner": None})
    return last(pen, "key-uninvited")


def joined_twice(pen: Pen) -> Found:
    told = invited(pen)
    join(pen, **told)
    pen.keys["worker"] = SigningKey.generate()
    join(pen, **told)
    return last(pen, "key-uninvited")


def joined_when_it_had_expired(pen: Pen) -> Found:
    told = invited(pen)
    pen.after(minutes=16)
    join(pen, **told)
    return last(pen, "key-uninvited", "enrolment-late")


def joined_by_an_invitation_without_end(pen: Pen) -> Found:
    told = invited(pen, expires_at="never")
    found = last(pen, "act-says-other")
    join(pen, **told)
    return found | last(pen, "key-uninvited")


def joined_elsewhere(pen: Pen) -> Found:
    join(pen, **{**invited(pen), "environment": "production"})
    return last(pen, "key-uninvited")


def joined_for_other_queues(pen: Pen) -> Found:
    join(pen, **{**invited(pen), "task_queues": ["carrier"]})
    return last(pen, "key-uninvited")


def vouched_for_by_no_platform(pen: Pen) -> Found:
    """Nothing is registered of it, and the entry says the same nothing."""
    pen.keys["worker"] = SigningKey.generate()
    join(pen, workload=None, owner=OLGA)
    return last(pen, "key-uninvited")


def vouched_for_as_another(pen: Pen) -> Found:
    register(pen, AGENT, workload=WORKLOAD)
    pen.keys["worker"] = SigningKey.generate()
    other = WORKLOAD.model_copy(update={"subject": "carrier"})
    join(pen, workload=other.model_dump(mode="json"), owner=OLGA)
    return last(pen, "key-uninvited")


# --- owners ---------------------------------------------------------------------------------


def leave(pen: Pen, person: str = OLGA) -> None:
    pen.act("ada", "operator.offboard", "operator.offboarded", person)


def disowned_at_once(pen: Pen) -> Found:
    leave(pen)
    until = pen.in_seconds(days=7)
    pen.write("identity.orphaned", target=AGENT, before=OLGA, until=until)
    pen.write("identity.disowned", target=AGENT, revoked_grants=0)
    return last(pen, "registry")


def imported_owner_changed_by_nobody(pen: Pen) -> Found:
    """The inventory says the same again, and it is told as if olga owned it once more."""
    take_in(pen, "bot:nightly", deputy=OTTO)
    leave(pen)
    pen.write("identity.followed", target="bot:nightly", before=OLGA, owner=OTTO)
    take_in(pen, "bot:nightly", deputy=OTTO)
    until = pen.in_seconds(days=7)
    pen.write("identity.orphaned", target="bot:nightly", before=OLGA, until=until)
    return last(pen, "registry")


def disowned_though_owned(pen: Pen) -> Found:
    pen.write("identity.disowned", target=AGENT, revoked_grants=0)
    return last(pen, "registry")


def orphaned_for_too_long(pen: Pen) -> Found:
    leave(pen)
    until = pen.in_seconds(days=8)
    pen.write("identity.orphaned", target=AGENT, before=OLGA, until=until)
    return last(pen, "registry")


def orphaned_by_who_is_away(pen: Pen) -> Found:
    pen.act("ada", "operator.suspend", "operator.suspended", OLGA)
    until = pen.in_seconds(days=7)
    pen.write("identity.orphaned", target=AGENT, before=OLGA, until=until)
    return last(pen, "registry")


def followed_by_no_deputy(pen: Pen) -> Found:
    leave(pen)
    pen.write("identity.followed", target=AGENT, before=OLGA, owner=OTTO)
    return last(pen, "registry")


def followed_by_who_has_left(pen: Pen) -> Found:
    register(pen, AGENT, deputy=OTTO)
    leave(pen, OTTO)
    leave(pen)
    pen.write("identity.followed", target=AGENT, before=OLGA, owner=OTTO)
    return last(pen, "registry")


OF_OWNERS = (
    replaced_twice,
    goes_on_for_too_long,
    replaced_when_it_was_too_old,
    replaced_after_its_overlap,
    replaced_while_suspended,
    enrolled_for_another_owner,
    joined_as_nobodys,
    joined_twice,
    joined_when_it_had_expired,
    joined_by_an_invitation_without_end,
    joined_elsewhere,
    joined_for_other_queues,
    vouched_for_by_no_platform,
    vouched_for_as_another,
    imported_owner_changed_by_nobody,
    disowned_at_once,
    disowned_though_owned,
    orphaned_for_too_long,
    orphaned_by_who_is_away,
    followed_by_no_deputy,
    followed_by_who_has_left,
)


def test_what_owners_and_workers_may_do_holds() -> None:
    """I10: keys follow each other, workers join, and who leaves leaves nothing behind."""
    pen = begun()
    register(pen, AGENT, deputy=OTTO, workload=WORKLOAD)
    pen.rotate(AGENT, pen.keys[AGENT], pen.in_seconds(days=1))
    join(pen, **invited(pen))
    pen.keys["worker"] = SigningKey.generate()
    join(pen, workload=WORKLOAD.model_dump(mode="json"), owner=OLGA)
    leave(pen)
    pen.write("identity.followed", target=AGENT, before=OLGA, owner=OTTO)
    leave(pen, OTTO)
    until = pen.in_seconds(days=7)
    pen.write("identity.orphaned", target=AGENT, before=OTTO, until=until)
    pen.after(days=7)
    pen.write("identity.disowned", target=AGENT, revoked_grants=0)
    assert pen.troubles() == set()


def test_whose_an_identity_is_that_an_inventory_names_holds() -> None:
    """I10: who owns it leaves, with a deputy and without; another inventory gives it to another."""
    pen = begun()
    take_in(pen, "bot:nightly", deputy=OTTO)
    take_in(pen, "bot:late", owner=None)
    register(pen, "bot:late")
    take_in(pen, "bot:late", owner=None, environment="production")
    leave(pen)
    pen.write("identity.followed", target="bot:nightly", before=OLGA, owner=OTTO)
    until = pen.in_seconds(days=7)
    pen.write("identity.orphaned", target="bot:late", before=OLGA, until=until)
    take_in(pen, "bot:late", owner=OTTO)
    leave(pen, OTTO)
    for identity in ("bot:late", "bot:nightly"):
        until = pen.in_seconds(days=7)
        pen.write("identity.orphaned", target=identity, before=OTTO, until=until)
    assert pen.troubles() == set()


@pytest.mark.parametrize("forge", OF_OWNERS, ids=lambda each: each.__name__)
def test_what_owners_and_workers_may_not_do_is_found(forge: Callable[[Pen], Found]) -> None:
    """I6, I10: of identities' keys and owners."""
    pen = begun()
    expected = forge(pen)
    assert pen.troubles() == expected


# --- grants to who may have none ------------------------------------------------------------


def granted_to_who_has_ended(pen: Pen) -> str:
    register(pen, AGENT, review_by=BEGUN, ends_at=BEGUN)
    grant(pen)
    return "grant-past-end"


def granted_beyond_its_end(pen: Pen) -> str:
    ends = pen.now.replace(microsecond=0) + timedelta(seconds=10)
    register(pen, AGENT, review_by=ends, ends_at=ends)
    grant(pen)
    return "grant-past-end"


def granted_without_end(pen: Pen) -> str:
    register(pen, AGENT)
    grant(pen, expires=None)
    return "grant-past-end"


def granted_to_who_was_disowned(pen: Pen) -> str:
    register(pen, AGENT, owner=None)
    grant(pen)
    return "grant-unowned"


def granted_long_after_its_owner_left(pen: Pen) -> str:
    leave(pen)
    until = pen.in_seconds(days=7)
    pen.write("identity.orphaned", target=AGENT, before=OLGA, until=until)
    pen.after(days=7)
    grant(pen)
    return "grant-unowned"


OF_GRANTS = (
    granted_to_who_has_ended,
    granted_beyond_its_end,
    granted_without_end,
    granted_to_who_was_disowned,
    granted_long_after_its_owner_left,
)


@pytest.mark.parametrize("forge", OF_GRANTS, ids=lambda each: each.__name__)
def test_a_grant_to_who_may_have_none_is_found(forge: Callable[[Pen], str]) -> None:
    """I10: an identity that nobody owns, or that has ended."""
    pen = begun()
    name = forge(pen)
    assert (name, len(pen.entries) - 1) in pen.troubles()
    pen = begun()
    register(pen, AGENT)
    grant(pen)
    assert not {"grant-past-end", "grant-unowned"} & {each for each, _ in pen.troubles()}


# --- uses of it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expires", "end"),
    [("never", None), (None, "case.stopped"), (None, "case.closed")],
)
def test_a_use_that_its_grant_does_not_bear_is_found(expires: str | None, end: str | None) -> None:
    """I4, I10: without an end of its own, or in a case that is stopped or closed."""
    for forged in (True, False):
        pen = begun()
        where = {"case": CASE, "record": SUBJECT}
        signed = pen.sign("ada", "case.open", SUBJECT, {"process": "p", "subject": SUBJECT})
        pen.write("case.opened", actor="operator:ada", **where, **signed, process_digest="p")
        grant(
            pen, grant="g", system="depot", **({"expires": expires} if expires and forged else {})
        )
        if end and forged:
            pen.write(end, **where, reason="a test", result="done")
        said = {"grant": "g", "action": "parcel:weigh", "status": None, "key": "none", "word": "x"}
        pen.write("action.requested", actor="system:depot", **where, **said)
        assert (("use-refusable", len(pen.entries) - 1) in pen.troubles()) is forged


def test_an_action_goes_on_whatever_became_of_one_before_that_was_never_asked_for() -> None:
    """I11: nothing came of that one, as its system tells; the next has begun, and not ended."""
    pen = begun()
    where = {"case": CASE, "record": SUBJECT}
    grant(pen, grant="g", system="depot")
    said = {"grant": "g", "action": "parcel:weigh", "key": "none", "word": "x"}
    told = (("action.performed", 503), ("action.requested", None), ("action.performed", 409))
    came_to = []
    for type_, status in told:
        pen.write(type_, actor="system:depot", **where, **said, status=status)
        walk = Walk(scene := Scene(pen.made(), Collector()))
        for index, each in enumerate(pen.entries):
            walk.entry(index, Entry.model_validate_json(each))
        came_to.append(scene.grants["g"].may_be_done)
    assert came_to == [False, True, False]
