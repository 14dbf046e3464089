"""What people signed and an authority must not have let them do, or wrote though nobody had.

The whole log is by the authority's owner, who has its key and nobody else's. Each forgery stands
alone: without it the log holds, so that nothing else names it.
"""

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.audit import ActFile, Report, verify
from placet.ledger import NoteSigner, NoteVerifier
from placet.model import (
    Delegate,
    Governance,
    GroupRoles,
    IdentityProvider,
    RekeyLog,
    SetRoles,
    digest_json,
)
from placet.tokens import SigningKey
from tests.audit.asked import last
from tests.audit.pen import Found, Pen

CHIEF = SetRoles(roles=("chief",))
ROLES = ("operator.roles", "operator:cleo")
AGENT = "agent:scale"
PROVIDER = IdentityProvider(
    issuer="https://idp.example",
    client_id="placet",
    roles=(GroupRoles(group="clerks", roles=("clerk",)),),
)


def two() -> Pen:
    """Two administrators sign; cleo is a clerk, cid another."""
    pen = Pen.new("ada", "bea")
    for name in ("cleo", "cid"):
        pen.keys[name] = SigningKey.generate()
        body = {"jwk": dict(pen.keys[name].public.jwk()), "roles": ["clerk"]}
        jti = pen.propose("ada", "operator.enrol", f"operator:{name}", body)
        second = pen.countersign("bea", jti, "operator.enrol", f"operator:{name}")
        principal, key = f"operator:{name}", pen.keys[name]
        pen.enrolled(principal, key, "clerk", actor="operator:ada", act=jti, second=second)
    return pen


def one() -> Pen:
    """One administrator signs; cleo and cid are clerks, hal is a chief, too, and owns nothing."""
    pen = Pen.new("ada")
    pen.enrol("cleo", "clerk")
    pen.enrol("cid", "clerk")
    pen.enrol("hal", "chief", "clerk")
    return pen


def rule(pen: Pen, version: int = 1, **rules: object) -> None:
    """Other rules, by an administrator's act."""
    told = Governance.model_validate({"version": version, **rules})
    digest = digest_json(told)
    said = {"version": version, "signatures": told.signatures, "governance_digest": digest}
    pen.act("ada", "governance.publish", "governance.published", "governance", told, **said)


def given(pen: Pen, jti: str, second: str) -> None:
    """Other roles take effect, by an act that two have signed."""
    said = {"act": jti, "second": second, "target": "operator:cleo", "roles": ["chief"]}
    pen.write("operator.roles_set", actor="operator:ada", **said)


# --- two who sign ---------------------------------------------------------------------------


def proposed_twice(pen: Pen) -> Found:
    pen.propose("ada", *ROLES, CHIEF)
    pen.entries.append(pen.entries[-1])
    return last(pen, "act-twice")


def proposed_under_anothers_id(pen: Pen) -> Found:
    """Another of her acts is kept under the id."""
    jti, other = pen.propose("ada", *ROLES, CHIEF), pen.sign("ada", *ROLES, CHIEF)["act"]
    pen.acts[jti] = pen.acts[other]
    return last(pen, "act-body")


def proposed_with_another_body(pen: Pen) -> Found:
    jti = pen.propose("ada", *ROLES, CHIEF)
    pen.acts[jti] = ActFile(jws=pen.acts[jti].jws, body='{"roles":["clerk"]}')
    return last(pen, "act-body")


def nothing_was_proposed(pen: Pen) -> Found:
    jti = str(pen.sign("ada", *ROLES, CHIEF)["act"])
    pen.countersign("bea", jti, *ROLES)
    return last(pen, "act-unproposed")


def countersigned_for_another(pen: Pen) -> Found:
    """She signed the one, and it is told of the other."""
    jti, other = pen.propose("ada", *ROLES, CHIEF), pen.propose("ada", *ROLES, CHIEF)
    pen.countersign("bea", jti, *ROLES, proposal=other)
    return last(pen, "act-unproposed")


def countersigned_again(pen: Pen) -> Found:
    jti = pen.propose("ada", *ROLES, CHIEF)
    pen.countersign("bea", jti, *ROLES)
    pen.countersign("bea", jti, *ROLES)
    return last(pen, "act-refusable")


def countersigned_after_it_was_withdrawn(pen: Pen) -> Found:
    jti = pen.propose("ada", *ROLES, CHIEF)
    pen.act("ada", "act.withdraw", "act.withdrawn", jti, proposal=jti)
    second = pen.countersign("bea", jti, *ROLES)
    found = last(pen, "act-refusable")
    given(pen, jti, second)
    return found | last(pen, "act-one-person")


def signed_twice_by_one(pen: Pen) -> Found:
    jti = pen.propose("ada", *ROLES, CHIEF)
    pen.countersign("ada", jti, *ROLES)
    return last(pen, "act-one-person")


def in_effect_twice(pen: Pen) -> Found:
    jti = pen.propose("ada", *ROLES, CHIEF)
    second = pen.countersign("bea", jti, *ROLES)
    given(pen, jti, second)
    given(pen, jti, second)
    return last(pen, "act-one-person", "act-twice")


def never_proposed_and_in_effect(pen: Pen) -> Found:
    jti = str(pen.sign("ada", *ROLES, CHIEF)["act"])
    given(pen, jti, "x" * 24)
    return last(pen, "act-one-person")


def waits_for_no_time(pen: Pen) -> Found:
    jti = pen.propose("ada", *ROLES, CHIEF, lapses_at="never")
    found = last(pen, "act-says-other")
    pen.countersign("bea", jti, *ROLES)
    return found | last(pen, "act-refusable")


def withdrawn_twice(pen: Pen) -> Found:
    jti = pen.propose("ada", *ROLES, CHIEF)
    for _ in range(2):
        pen.act("ada", "act.withdraw", "act.withdrawn", jti, proposal=jti)
    return last(pen, "act-unproposed")


def withdrawn_by_a_clerk(pen: Pen) -> Found:
    jti = pen.propose("ada", *ROLES, CHIEF)
    pen.act("cid", "act.withdraw", "act.withdrawn", jti, proposal=jti)
    return last(pen, "act-refusable")


def withdrawn_instead_of_another(pen: Pen) -> Found:
    """She took the one back, and it is told of the other."""
    jti, other = pen.propose("ada", *ROLES, CHIEF), pen.propose("ada", *ROLES, CHIEF)
    pen.act("ada", "act.withdraw", "act.withdrawn", jti, proposal=other)
    return last(pen, "act-unproposed")


def lapsed_at_once(pen: Pen) -> Found:
    pen.write("act.lapsed", proposal=pen.propose("ada", *ROLES, CHIEF))
    return last(pen, "act-unproposed")


def lapsed_and_never_proposed(pen: Pen) -> Found:
    pen.write("act.lapsed", proposal="x" * 24)
    return last(pen, "act-unproposed")


BY_TWO = (
    proposed_twice,
    proposed_under_anothers_id,
    proposed_with_another_body,
    nothing_was_proposed,
    countersigned_for_another,
    countersigned_again,
    countersigned_after_it_was_withdrawn,
    signed_twice_by_one,
    in_effect_twice,
    never_proposed_and_in_effect,
    waits_for_no_time,
    withdrawn_twice,
    withdrawn_by_a_clerk,
    withdrawn_instead_of_another,
    lapsed_at_once,
    lapsed_and_never_proposed,
)


def test_what_two_signed_holds() -> None:
    """I6: an act that took effect, one that lapsed, and one that its author took back."""
    pen = two()
    jti = pen.propose("ada", *ROLES, CHIEF)
    given(pen, jti, pen.countersign("bea", jti, *ROLES))
    jti = pen.propose("bea", *ROLES, SetRoles(roles=("clerk",)))
    pen.act("ada", "act.withdraw", "act.withdrawn", jti, proposal=jti)
    jti = pen.propose("ada", *ROLES, CHIEF)
    pen.after(hours=72)
    pen.write("act.lapsed", proposal=jti)
    assert pen.troubles() == set()


@pytest.mark.parametrize("forge", BY_TWO, ids=lambda each: each.__name__)
def test_what_two_did_not_sign_is_found(forge: Callable[[Pen], Found]) -> None:
    """I6: of acts that two must sign, at the entry that says otherwise."""
    pen = two()
    expected = forge(pen)
    assert pen.troubles() == expected


# --- people, their keys and sessions --------------------------------------------------------


def hand_over(pen: Pen, giver: str, delegate: str) -> str:
    start = pen.now.replace(microsecond=0)
    told = Delegate(starts_at=start, ends_at=start + timedelta(hours=8), reason="away")
    said = {
        "process": None,
        "starts_at": int(told.starts_at.timestamp()),
        "ends_at": int(told.ends_at.timestamp()),
    }
    principal = f"operator:{delegate}"
    return pen.act(giver, "delegation.give", "delegation.given", principal, told, **said)


def handed_over_to_oneself(pen: Pen) -> Found:
    hand_over(pen, "cleo", "cleo")
    return last(pen, "delegation")


def handed_over_to_who_may_less(pen: Pen) -> Found:
    hand_over(pen, "hal", "cleo")
    return last(pen, "delegation")


def handed_over_to_nobody(pen: Pen) -> Found:
    hand_over(pen, "cleo", "nobody")
    return last(pen, "delegation")


def handed_over_to_who_has_left(pen: Pen) -> Found:
    pen.act("ada", "operator.suspend", "operator.suspended", "operator:hal")
    hand_over(pen, "cleo", "hal")
    return last(pen, "delegation")


def taken_back_by_another(pen: Pen) -> Found:
    given = hand_over(pen, "cleo", "hal")
    pen.act("cid", "delegation.end", "delegation.ended", given, delegation=given)
    return last(pen, "delegation")


def taken_back_twice(pen: Pen) -> Found:
    given = hand_over(pen, "cleo", "hal")
    for _ in range(2):
        pen.act("cleo", "delegation.end", "delegation.ended", given, delegation=given)
    return last(pen, "delegation")


def rules_of_before(pen: Pen) -> Found:
    rule(pen, 2)
    rule(pen, 2)
    return last(pen, "governance")


def kept_under_anothers_id(pen: Pen) -> Found:
    """She has held the one, and another of her acts is kept under its id."""
    said = {"record": "depot/D1"}
    jti = pen.act("cleo", "hold.place", "hold.placed", "depot/D1", **said)
    pen.acts[jti] = pen.acts[
        str(pen.sign("cleo", "hold.place", "depot/D1", {"reason": "a test"})["act"])
    ]
    return last(pen, "act-body")


def lifted_by_another(pen: Pen) -> Found:
    pen.act("hal", "hold.place", "hold.placed", "depot/D1", record="depot/D1")
    pen.act("cleo", "hold.lift", "hold.lifted", "depot/D1", record="depot/D1")
    return last(pen, "hold-lifted")


def roles_for_oneself(pen: Pen) -> Found:
    said = {"roles": ["administrator", "chief"]}
    pen.act("ada", "operator.roles", "operator.roles_set", "operator:ada", said, **said)
    return last(pen, "act-refusable")


def back_after_leaving(pen: Pen) -> Found:
    pen.act("ada", "operator.offboard", "operator.offboarded", "operator:hal")
    pen.act("ada", "operator.resume", "operator.resumed", "operator:hal")
    return last(pen, "act-refusable")


def came_without_an_invitation(pen: Pen) -> Found:
    told = pen.invite("una", "auditor")
    pen.entries.pop()
    pen.claim("una", "auditor", **told)
    return last(pen, "key-uninvited")


def came_when_it_had_expired(pen: Pen) -> Found:
    told = pen.invite("una", "auditor")
    pen.after(minutes=16)
    pen.claim("una", "auditor", **told)
    return last(pen, "key-uninvited", "enrolment-late")


def came_by_an_invitation_without_end(pen: Pen) -> Found:
    told = pen.invite("una", "auditor", expires_at="never")
    found = last(pen, "act-says-other")
    pen.claim("una", "auditor", **told)
    return found | last(pen, "key-uninvited")


def came_by_a_code_after_leaving(pen: Pen) -> Found:
    pen.claim("una", "auditor", **pen.invite("una", "auditor"))
    told = pen.invite("una", "auditor")
    pen.act("ada", "operator.offboard", "operator.offboarded", "operator:una")
    pen.claim("una", "auditor", **told)
    return last(pen, "act-refusable")


def invited_by_who_was_suspended(pen: Pen) -> Found:
    pen.enrol("bea", "administrator")
    pen.act("ada", "operator.suspend", "operator.suspended", "operator:bea")
    pen.invite("una", "auditor", by="bea")
    return last(pen, "act-refusable")


def came_by_a_code_of_beas(pen: Pen, cut_off: Callable[[Pen], object]) -> Found:
    """Of an administrator who is cut off before it is used."""
    pen.enrol("bea", "administrator")
    told = pen.invite("una", "auditor", by="bea")
    cut_off(pen)
    pen.claim("una", "auditor", **told)
    return last(pen, "key-uninvited")


def came_by_a_code_of_whom_was_suspended(pen: Pen) -> Found:
    def suspend(pen: Pen) -> None:
        pen.act("ada", "operator.suspend", "operator.suspended", "operator:bea")

    return came_by_a_code_of_beas(pen, suspend)


def came_by_a_code_of_whom_is_no_administrator(pen: Pen) -> Found:
    def demote(pen: Pen) -> None:
        said = {"roles": ["clerk"]}
        pen.act("ada", "operator.roles", "operator.roles_set", "operator:bea", said, **said)

    return came_by_a_code_of_beas(pen, demote)


def came_by_a_code_of_a_revoked_key(pen: Pen) -> Found:
    def revoke(pen: Pen) -> None:
        key = pen.keys["bea"].public.thumbprint
        said = {"principal": "operator:bea", "with_it": []}
        pen.act("ada", "key.revoke", "key.revoked", key, **said)

    return came_by_a_code_of_beas(pen, revoke)


def sign_in(pen: Pen, name: str, key: SigningKey, **data: object) -> str:
    session = f"session-{len(pen.entries)}"
    said = {
        "session": session,
        "principal": f"operator:{name}",
        "jwk": dict(key.public.jwk()),
        "roles": ["clerk"],
        "groups": ["clerks"],
        "issuer": PROVIDER.issuer,
        "ends_at": pen.in_seconds(minutes=60),
        "signed_in_at": None,
    }
    pen.keys[name] = key
    pen.write("session.started", **{**said, **data})
    return session


def session_at_no_provider(pen: Pen) -> Found:
    sign_in(pen, "ida", SigningKey.generate())
    return last(pen, "session")


def session_at_another_provider(pen: Pen) -> Found:
    rule(pen, identity_provider=PROVIDER)
    sign_in(pen, "ida", SigningKey.generate(), issuer="https://other.example")
    return last(pen, "session")


def session_in_other_roles(pen: Pen) -> Found:
    rule(pen, identity_provider=PROVIDER)
    sign_in(pen, "ida", SigningKey.generate(), roles=["chief"])
    return last(pen, "session")


def session_without_end(pen: Pen) -> Found:
    rule(pen, identity_provider=PROVIDER)
    sign_in(pen, "ida", SigningKey.generate(), ends_at=None)
    return last(pen, "session")


def session_for_too_long(pen: Pen) -> Found:
    rule(pen, identity_provider=PROVIDER)
    sign_in(pen, "ida", SigningKey.generate(), ends_at=pen.in_seconds(hours=9))
    return last(pen, "session")


def session_with_a_key_spelled_otherwise(pen: Pen) -> Found:
    rule(pen, identity_provider=PROVIDER)
    key = SigningKey.generate()
    sign_in(pen, "ida", key, jwk={**dict(key.public.jwk()), "kid": "mine"})
    return last(pen, "key")


def session_with_anothers_key(pen: Pen) -> Found:
    rule(pen, identity_provider=PROVIDER)
    key = SigningKey.generate()
    sign_in(pen, "ida", key)
    sign_in(pen, "ina", key)
    return last(pen, "session")


def session_as_who_has_a_key_of_their_own(pen: Pen) -> Found:
    """The owner's key, as a clerk's whom an administrator had enrolled."""
    rule(pen, identity_provider=PROVIDER)
    sign_in(pen, "cleo", SigningKey.generate())
    return last(pen, "session")


def session_of_who_is_suspended(pen: Pen) -> Found:
    rule(pen, identity_provider=PROVIDER)
    sign_in(pen, "ida", SigningKey.generate())
    pen.act("ada", "operator.suspend", "operator.suspended", "operator:ida")
    sign_in(pen, "ida", SigningKey.generate())
    return last(pen, "session")


def session_that_outlasts_itself(pen: Pen) -> Found:
    """Its key adds one that no session ends."""
    rule(pen, identity_provider=PROVIDER)
    sign_in(pen, "ida", SigningKey.generate())
    pen.add_key("ida", "clerk")
    return last(pen, "key")


def session_ended_with_another_key(pen: Pen) -> Found:
    rule(pen, identity_provider=PROVIDER)
    session = sign_in(pen, "ida", SigningKey.generate())
    said = {"session": session, "principal": "operator:ida", "key": "A" * 43, "reason": "over"}
    pen.write("session.ended", **said)
    return last(pen, "session")


def key_spelled_otherwise(pen: Pen) -> Found:
    key = SigningKey.generate()
    jwk = dict(key.public.jwk())
    body = {"jwk": jwk, "roles": ["clerk"]}
    act = pen.sign("ada", "operator.enrol", "operator:una", body)["act"]
    said = {"actor": "operator:ada", "act": act, "jwk": {**jwk, "kid": "mine"}}
    pen.enrolled("operator:una", key, "clerk", **said)
    return last(pen, "key", "act-says-other")


# --- the log's own key ----------------------------------------------------------------------


def head_key(pen: Pen) -> NoteVerifier:
    """Another key of heads."""
    return NoteSigner("pen.example/ledger", Ed25519PrivateKey.generate()).verifier


def publish(pen: Pen, key: NoteVerifier) -> None:
    x = base64.urlsafe_b64encode(key.key).decode().rstrip("=")
    pen.write("key.published", purpose="heads", jwk={"kty": "OKP", "crv": "Ed25519", "x": x})


def rekey(pen: Pen, before: NoteVerifier) -> NoteVerifier:
    following = head_key(pen)
    told = RekeyLog(key=following.vkey, replaces=before.vkey, overlap_hours=1)
    pen.act("ada", "log.rekey", "log.rekeyed", "log", told, **told.model_dump())
    return following


def rekeyed_in_no_place(pen: Pen) -> Found:
    rekey(pen, head_key(pen))
    return last(pen, "log-key")


def rekeyed_before_the_one_before_had_gone(pen: Pen) -> Found:
    first = head_key(pen)
    publish(pen, first)
    rekey(pen, rekey(pen, first))
    return last(pen, "log-key")


def retired_another(pen: Pen) -> Found:
    """The one that goes on, and not the one that handed over."""
    first = head_key(pen)
    publish(pen, first)
    following = rekey(pen, first)
    pen.after(hours=1)
    pen.write("key.retired", purpose="heads", key=following.vkey)
    return last(pen, "log-key")


OF_PEOPLE = (
    rekeyed_in_no_place,
    rekeyed_before_the_one_before_had_gone,
    retired_another,
    handed_over_to_oneself,
    handed_over_to_who_may_less,
    handed_over_to_nobody,
    handed_over_to_who_has_left,
    taken_back_by_another,
    taken_back_twice,
    rules_of_before,
    kept_under_anothers_id,
    lifted_by_another,
    roles_for_oneself,
    back_after_leaving,
    came_by_a_code_of_a_revoked_key,
    came_by_a_code_of_whom_is_no_administrator,
    came_by_a_code_of_whom_was_suspended,
    came_without_an_invitation,
    came_when_it_had_expired,
    came_by_an_invitation_without_end,
    came_by_a_code_after_leaving,
    invited_by_who_was_suspended,
    session_at_no_provider,
    session_at_another_provider,
    session_in_other_roles,
    session_without_end,
    session_for_too_long,
    session_with_a_key_spelled_otherwise,
    session_with_anothers_key,
    session_as_who_has_a_key_of_their_own,
    session_of_who_is_suspended,
    session_that_outlasts_itself,
    session_ended_with_another_key,
    key_spelled_otherwise,
)


def test_what_people_may_do_holds() -> None:
    """I6: a stand-in, an invitation, sessions one after the other, a second key."""
    pen = one()
    first = head_key(pen)
    publish(pen, first)
    rekey(pen, first)
    pen.after(hours=1)
    pen.write("key.retired", purpose="heads", key=first.vkey)
    given = hand_over(pen, "cleo", "hal")
    pen.act("cleo", "delegation.end", "delegation.ended", given, delegation=given)
    pen.claim("una", "auditor", **pen.invite("una", "auditor"))
    pen.add_key("una", "auditor")
    rule(pen, identity_provider=PROVIDER)
    key = SigningKey.generate()
    session = sign_in(pen, "ida", key)
    said = {"session": session, "principal": "operator:ida", "key": key.public.thumbprint}
    pen.write("session.ended", **said, reason="over")
    sign_in(pen, "ida", key)
    pen.act("ida", "hold.place", "hold.placed", "depot/D1", record="depot/D1")
    pen.act("ada", "hold.lift", "hold.lifted", "depot/D1", record="depot/D1")
    assert pen.troubles() == set()


def test_sign_ins_are_not_passed_over_as_held_against_a_providers_keys() -> None:
    """I6: the log keeps no ID token; whoever brings the provider's keys is told so, and how many."""
    pen = one()

    def judged(**more: object) -> Report:
        files = pen.made()
        report = verify(files.trusting({"log_key": files.trusted_log_key, **more}))
        assert report.troubles == ()
        return report

    brought = {"issuer": PROVIDER.issuer, "keys": [{"kty": "RSA"}]}
    assert judged(identity_provider=brought).unchecked == ()  # nobody has signed in
    rule(pen, identity_provider=PROVIDER)
    sign_in(pen, "ida", SigningKey.generate())
    moved = PROVIDER.model_copy(update={"issuer": "https://new.example"})
    rule(pen, 2, identity_provider=moved)
    sign_in(pen, "ina", SigningKey.generate(), issuer=moved.issuer)
    sign_in(pen, "ira", SigningKey.generate(), issuer=moved.issuer)
    assert judged().unchecked == ()
    report = judged(identity_provider=brought)
    assert [each.name for each in report.unchecked] == ["sign-ins"]
    assert "1 sign-in at https://idp.example, and 2 elsewhere" in report.unchecked[0].found


@pytest.mark.parametrize("forge", OF_PEOPLE, ids=lambda each: each.__name__)
def test_what_people_may_not_do_is_found(forge: Callable[[Pen], Found]) -> None:
    """I6, I10: of people's authority, at the entry that gives what nobody had."""
    pen = one()
    expected = forge(pen)
    assert pen.troubles() == expected


@pytest.mark.parametrize("named", [None, [], {}, "operator:ada"])
def test_a_log_names_its_first_administrators(named: object) -> None:
    """I6, I12: nobody, or something that names nobody."""
    pen = Pen.new("ada")
    pen.entries.clear()
    pen.write("log.created", administrators=named, signatures=1)
    assert pen.troubles() == {("log-created", 0)}
