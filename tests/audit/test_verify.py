"""A whole log is verified from its files, and every change to them is found at its entry."""

import base64
import dataclasses
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.audit import ActFile, Kept, LogFiles, population, verify
from placet.ledger import NoteSigner, NoteVerifier, open_checkpoint, sign_checkpoint
from placet.model import (
    CaseArchive,
    CheckpointView,
    DecisionClaims,
    GrantedDetails,
    SettlementClaims,
    canonical_json,
    digest_bytes,
    digest_json,
    salted_digest,
    system_urn,
)
from placet.tokens import SigningKey, sign_decision, sign_settlement
from tests.audit.recording import (
    Entry,
    Recorded,
    changed_entry,
    find,
    forged_history,
    names,
    put,
    resigned,
    with_history,
)


def test_a_log_holds_from_its_files_alone(recorded: Recorded) -> None:
    """I8: entries, signatures, policy decisions and evidence; under a key the auditor brought."""
    report = verify(recorded.files)
    assert report.troubles == ()
    assert report.trusted
    assert report.checked["entries"] == len(recorded.files.entries)
    assert report.checked["decisions"] == 5
    assert report.checked["policy decisions"] == report.checked["grants"] + 1  # one denied
    settled = [each for each in recorded.files.entries if b'"grant.settled"' in each]
    assert report.checked["settlements"] == len(settled)
    assert "live grants" not in report.checked


def test_a_log_that_nobody_vouches_for_is_consistent_with_itself_only(recorded: Recorded) -> None:
    """I8: whoever runs the log could have made it anew with another key."""
    report = verify(dataclasses.replace(recorded.files, trusted_log_key=None))
    assert report.holds
    assert not report.trusted


# --- the tree -------------------------------------------------------------------------------


def entries_swapped(files: LogFiles) -> LogFiles:
    entries = list(files.entries)
    entries[20], entries[21] = entries[21], entries[20]
    return dataclasses.replace(files, entries=tuple(entries))


def entry_dropped(files: LogFiles) -> LogFiles:
    return dataclasses.replace(files, entries=files.entries[:20] + files.entries[21:])


def entry_inserted(files: LogFiles) -> LogFiles:
    entries = (*files.entries[:20], files.entries[19], *files.entries[20:])
    return dataclasses.replace(files, entries=entries)


def truncated(files: LogFiles) -> LogFiles:
    return dataclasses.replace(files, entries=files.entries[:-1])


def emptied(files: LogFiles) -> LogFiles:
    return dataclasses.replace(files, entries=())


def head_of_another_key(files: LogFiles) -> LogFiles:
    signer = NoteSigner(files.origin, Ed25519PrivateKey.generate())
    head = resigned(files, list(files.entries)).head
    assert signer.name in head
    return dataclasses.replace(files, head=head)


def origin_of_another_log(files: LogFiles) -> LogFiles:
    """A genuine head, taken for the head of another log under the same key."""
    signer = NoteSigner(files.origin, Ed25519PrivateKey.generate())
    made = resigned(files, list(files.entries))
    head = open_checkpoint(made.head, [_verifier(made)])
    other = dataclasses.replace(head, origin="other.example/ledger")
    return dataclasses.replace(
        files, head=sign_checkpoint(other, [signer]), trusted_log_key=signer.verifier.vkey
    )


def head_unsigned(files: LogFiles) -> LogFiles:
    return dataclasses.replace(files, head=files.head.partition("\n\n")[0] + "\n\n")


def head_missing(files: LogFiles) -> LogFiles:
    return dataclasses.replace(files, head="")


def key_unreadable(files: LogFiles) -> LogFiles:
    return dataclasses.replace(files, trusted_log_key="no key")


def _verifier(files: LogFiles) -> NoteVerifier:
    return NoteVerifier.from_vkey(files.trusted_log_key or "")


TREE: dict[str, tuple[Callable[[LogFiles], LogFiles], str, str]] = {
    "entries-swapped": (entries_swapped, "log", "the log"),
    "entry-dropped": (entry_dropped, "log", "entry {last}"),
    "entry-inserted": (entry_inserted, "log", "the log"),
    "truncated": (truncated, "log", "entry {last}"),
    "emptied": (emptied, "log", "entry 0"),
    "head-of-another-key": (head_of_another_key, "head", "the signed head"),
    "origin-of-another-log": (origin_of_another_log, "head", "the signed head"),
    "head-unsigned": (head_unsigned, "head", "the signed head"),
    "head-missing": (head_missing, "head", "the signed head"),
    "key-unreadable": (key_unreadable, "log-key", "the log's key"),
}


@pytest.mark.parametrize("name", sorted(TREE))
def test_a_changed_log_is_found_by_its_head(recorded: Recorded, name: str) -> None:
    """I8: the head that was signed fits these entries in this order, and no others."""
    change, trouble, place = TREE[name]
    report = verify(change(recorded.files))
    assert (trouble, place.format(last=len(recorded.files.entries) - 1)) in names(report)


def test_a_kept_head_says_where_the_past_was_rewritten(recorded: Recorded) -> None:
    """I8: the owner of the key rewrote an entry; who kept a head from before finds it."""
    files = recorded.files
    signer = NoteSigner(files.origin, Ed25519PrivateKey.generate())

    def signed(entries: list[bytes]) -> str:
        made = resigned(files, entries)
        return sign_checkpoint(open_checkpoint(made.head, [_verifier(made)]), [signer])

    entries = list(files.entries)
    kept = signed(entries[:30])
    changed = json.loads(entries[25])
    changed["time"] = "2020-01-01T00:00:00Z"
    entries[25] = canonical_json(changed)
    report = verify(
        dataclasses.replace(
            files,
            entries=tuple(entries),
            head=signed(entries),
            kept_heads=(kept,),
            trusted_log_key=signer.verifier.vkey,
        )
    )
    trouble = next(each for each in report.troubles if each.name == "log")
    assert "kept from before, after entry 29" in trouble.found


def test_a_head_that_was_kept_says_whose_log_it_is(recorded: Recorded) -> None:
    """I8: the log holds it in its past, under its own key, or does not hold; without one, or a key,
    it is consistent with itself only."""
    alone = dataclasses.replace(recorded.files, trusted_log_key=None, kept_heads=())
    before = recorded.files.own_heads[len(recorded.files.own_heads) // 2]
    for judged in (verify, lambda files: population(files).report):
        assert not judged(alone).trusted
        kept = judged(dataclasses.replace(alone, kept_heads=(before,)))
        assert (kept.troubles, kept.trusted) == ((), True)
    signer = NoteSigner(alone.origin, Ed25519PrivateKey.generate())
    text = open_checkpoint(before, [_verifier(recorded.files)])
    other = verify(dataclasses.replace(alone, kept_heads=(sign_checkpoint(text, [signer]),)))
    assert (other.holds, other.trusted) == (False, False)


def test_two_people_who_compare_their_heads_find_a_fork(recorded: Recorded) -> None:
    """I8: the log's owner shows each another log of one size; either holds by itself."""
    files = recorded.files
    signer = NoteSigner(files.origin, Ed25519PrivateKey.generate())

    def shown(entries: list[bytes]) -> LogFiles:
        made = resigned(files, entries)
        head = sign_checkpoint(open_checkpoint(made.head, [_verifier(made)]), [signer])
        key = signer.verifier.vkey
        return dataclasses.replace(files, entries=tuple(entries), head=head, trusted_log_key=key)

    last = {**json.loads(files.entries[-1]), "actor": "system:told-to-one-of-them-alone"}
    one, other = shown(list(files.entries)), shown([*files.entries[:-1], canonical_json(last)])
    assert verify(one).troubles == ()
    compared = verify(dataclasses.replace(one, kept_heads=(other.head,)))
    assert "log" in {each.name for each in compared.troubles}
    assert any("kept from before" in each.found for each in compared.troubles)


def test_a_log_that_has_signed_no_head_yet_says_so(recorded: Recorded) -> None:
    (trouble,) = verify(dataclasses.replace(recorded.files, head="")).troubles
    assert (trouble.name, "no head yet" in trouble.found) == ("head", True)


def test_an_erasure_beyond_the_head_excuses_nothing(recorded: Recorded) -> None:
    """I8: nobody has signed it, and it is never walked; what is missing is not passed over."""
    missing = dataclasses.replace(recorded.files, parts={})
    assert not verify(missing).holds
    told = json.loads(recorded.files.entries[-1])
    told |= {"type": "case.erased", "actor": "operator:ada", "data": {"act": "a" * 24}}
    cases = sorted({json.loads(each).get("case") or "" for each in recorded.files.entries} - {""})
    beyond = tuple(canonical_json({**told, "case": case}) for case in cases)
    report = verify(dataclasses.replace(missing, entries=(*missing.entries, *beyond)))
    assert [each.name for each in report.unchecked] == cases
    assert all("no signed head has" in each.found for each in report.unchecked)
    within = resigned(missing, [*missing.entries, *beyond])
    assert "act-missing" in {each.name for each in verify(within).troubles}


def test_entries_beyond_the_head_prove_nothing(recorded: Recorded) -> None:
    """I8: what no head covers yet is counted, not verified."""
    extra = json.loads(recorded.files.entries[-1])
    extra["type"] = "case.closed"
    entries = (*recorded.files.entries, canonical_json(extra))
    report = verify(dataclasses.replace(recorded.files, entries=entries))
    assert report.checked["entries"] == len(entries) - 1
    assert report.checked["entries beyond the head"] == 1


# --- the meaning, with a tree that fits -----------------------------------------------------

Change = Callable[[Recorded], tuple[LogFiles, int]]


def entry_of(
    type_: str, change: Callable[[Entry], object], **data: Any
) -> Callable[[Recorded], tuple[LogFiles, int]]:
    """The log made anew with the first entry of a type changed."""

    def forge(recorded: Recorded) -> tuple[LogFiles, int]:
        index = find(recorded.files, type_, **data)
        return changed_entry(recorded.files, index, change), index

    return forge


def later(**by: int) -> Callable[[Entry], None]:
    def change(entry: Entry) -> None:
        entry["time"] = _spelled(datetime.fromisoformat(entry["time"]) + timedelta(**by))

    return change


def by(actor: str) -> Callable[[Entry], None]:
    return lambda entry: entry.update(actor=actor)


def enrol_another_key(recorded: Recorded) -> tuple[LogFiles, int]:
    """The forger's own key under a chief's name, with the act that enrolled the chief's."""
    index = find(recorded.files, "key.enrolled", principal="operator:hal")
    return changed_entry(
        recorded.files, index, put(jwk=dict(SigningKey.generate().public.jwk()))
    ), index


def never(recorded: Recorded, type_: str) -> tuple[LogFiles, int]:
    """The log without a publication, which is there all the same; the first that names it."""
    entries = list(recorded.files.entries)
    gone = entries.pop(find(recorded.files, type_))
    digest = next(
        json.loads(gone)["data"][name]
        for name in ("digest", "matrix_digest", "policy_digest")
        if name in json.loads(gone)["data"]
    )
    named = next(index for index, each in enumerate(entries) if digest.encode() in each)
    return resigned(recorded.files, entries), named


def twice(recorded: Recorded, type_: str) -> tuple[LogFiles, int]:
    """The first entry of a type once more, as the last one."""
    entries = list(recorded.files.entries)
    entries.append(entries[find(recorded.files, type_)])
    return resigned(recorded.files, entries), len(entries) - 1


def other_act(recorded: Recorded) -> tuple[LogFiles, int]:
    """A genuine act, told as another one: the hold's placing as its lifting."""
    act = json.loads(recorded.files.entries[find(recorded.files, "hold.placed")])["data"]["act"]
    index = find(recorded.files, "hold.lifted")
    return changed_entry(recorded.files, index, put(act=act)), index


def acts_without(recorded: Recorded) -> tuple[LogFiles, int]:
    index = find(recorded.files, "case.opened")
    jti = json.loads(recorded.files.entries[index])["data"]["act"]
    acts = {name: act for name, act in recorded.files.acts.items() if name != jti}
    return dataclasses.replace(recorded.files, acts=acts), index


def act_changed(recorded: Recorded, change: Callable[[ActFile], ActFile]) -> tuple[LogFiles, int]:
    index = find(recorded.files, "case.opened")
    jti = json.loads(recorded.files.entries[index])["data"]["act"]
    acts = dict(recorded.files.acts)
    acts[jti] = change(acts[jti])
    return dataclasses.replace(recorded.files, acts=acts), index


def act_body(text: str) -> Change:
    return lambda recorded: act_changed(recorded, lambda act: act.model_copy(update={"body": text}))


def last_signed(recorded: Recorded, type_: str) -> int:
    """The last entry of a type, which a person signed with a head in sight."""
    return max(
        number
        for number, each in enumerate(recorded.files.entries)
        if json.loads(each)["type"] == type_
    )


def past_made_anew(recorded: Recorded) -> tuple[LogFiles, int]:
    """Why something was denied is the authority's word alone, and people have signed since."""
    files = changed_entry(recorded.files, find(recorded.files, "grant.denied"), put(reasons=["I1"]))
    return files, _first_signed_after(files, find(files, "grant.denied"))


def forgotten(recorded: Recorded) -> tuple[LogFiles, int]:
    """A refusal is left out, and nothing else speaks of it."""
    entries = list(recorded.files.entries)
    index = find(recorded.files, "decision.refused")
    del entries[index]
    files = resigned(recorded.files, entries)
    return files, _first_signed_after(files, index)


def agents_past_made_anew(recorded: Recorded) -> tuple[LogFiles, int]:
    """An entry says more than it did; of those who had seen it an agent was the first to sign."""
    signed = _heads_in_sight(recorded.files)
    for index in range(len(recorded.files.entries)):
        _, number = min(each for each in signed if each[0] > index)
        if json.loads(recorded.files.entries[number])["type"] == "grant.settled":
            return changed_entry(recorded.files, index, put(more=1)), number
    raise AssertionError("no agent has signed with a head in sight")


def _first_signed_after(files: LogFiles, index: int) -> int:
    """The entry with the smallest head that has this entry."""
    return min(each for each in _heads_in_sight(files) if each[0] > index)[1]


def _heads_in_sight(files: LogFiles) -> list[tuple[int, int]]:
    """The sizes of heads in what people and agents signed, each with its entry."""
    found: list[tuple[int, int]] = []
    for number, data in enumerate(files.entries):
        entry = json.loads(data)
        act = files.acts.get(str(entry["data"].get("act")))
        view = files.checkpoints.get(str(entry["data"].get("checkpoint")))
        decisions = () if view is None else view.decisions
        jti, settled = entry["data"].get("decision"), entry["data"].get("settlement")
        words = [*([act.jws] if act else []), *([settled] if settled else [])]
        for jws in (*words, *(d.jws for d in decisions if d.jti == jti)):
            said = json.loads(base64.urlsafe_b64decode(jws.split(".")[1] + "=="))
            if said.get("ledger_head"):
                found.append((int(said["ledger_head"].split("\n")[1]), number))
    return found


def signed_before_it_was_seen(recorded: Recorded) -> tuple[LogFiles, int]:
    """The last matrix, as if it had been published before the last case was decided."""
    entries = list(recorded.files.entries)
    entry = entries.pop(last_signed(recorded, "matrix.published"))
    entries.insert(40, entry)
    return resigned(recorded.files, entries), 40


def act_signature(recorded: Recorded) -> tuple[LogFiles, int]:
    def tamper(act: ActFile) -> ActFile:
        head, payload, signature = act.jws.split(".")
        other = "A" if signature[5] != "A" else "B"
        return act.model_copy(
            update={"jws": f"{head}.{payload}.{signature[:5]}{other}{signature[6:]}"}
        )

    return act_changed(recorded, tamper)


def kept_changed(recorded: Recorded, change: Callable[[Kept], Kept | None]) -> tuple[LogFiles, int]:
    """The context of the payment-like grant."""
    index = find(recorded.files, "grant.issued", recorded.large, action="parcel:dispatch")
    digest = json.loads(recorded.files.entries[index])["data"]["context_digest"]
    kept = dict(recorded.files.kept)
    other = change(kept.pop(digest))
    if other is not None:
        kept[digest] = other
    return dataclasses.replace(recorded.files, kept=kept), index


def context_gone(recorded: Recorded) -> tuple[LogFiles, int]:
    return kept_changed(recorded, lambda _: None)


def context_changed(recorded: Recorded) -> tuple[LogFiles, int]:
    return kept_changed(
        recorded,
        lambda kept: kept.model_copy(
            update={"content": kept.content.replace('"people":2', '"people":3')}
        ),
    )


def context_of_another_grant(recorded: Recorded) -> tuple[LogFiles, int]:
    """A genuine context that permits, but for another record."""
    other = find(recorded.files, "grant.issued", recorded.dispatched, action="parcel:dispatch")
    index = find(recorded.files, "grant.issued", recorded.large, action="parcel:dispatch")
    data = json.loads(recorded.files.entries[other])["data"]
    return (
        changed_entry(recorded.files, index, put(context_digest=data["context_digest"])),
        index,
    )


def context_that_denies(recorded: Recorded) -> tuple[LogFiles, int]:
    """Kept context, its digest and the head made anew: the policies still say no."""
    index = find(recorded.files, "grant.issued", recorded.large, action="parcel:dispatch")
    old = json.loads(recorded.files.entries[index])["data"]["context_digest"]
    kept = recorded.files.kept[old]
    question = json.loads(kept.content)
    question["context"]["approval"]["needs_met"] = False
    content = canonical_json(question).decode()
    digest = salted_digest(kept.salt, content.encode())
    files = changed_entry(recorded.files, index, put(context_digest=digest))
    return (
        dataclasses.replace(
            files, kept={**files.kept, digest: Kept(salt=kept.salt, content=content)}
        ),
        index,
    )


def policy_changed(recorded: Recorded) -> tuple[LogFiles, int]:
    ((policies, schema),) = recorded.files.policies
    other = policies.replace('@id("weighs")', '@id("weighs") // as before')
    assert other != policies
    files = dataclasses.replace(recorded.files, policies=((other, schema),))
    return files, find(recorded.files, "policy.published")


def policy_unreadable(recorded: Recorded) -> tuple[LogFiles, int]:
    files = dataclasses.replace(recorded.files, policies=(("permit", "schema"),))
    return files, find(recorded.files, "policy.published")


def process_gone(recorded: Recorded) -> tuple[LogFiles, int]:
    files = dataclasses.replace(recorded.files, processes=("{}",))
    return files, find(recorded.files, "process.published")


def matrix_changed(recorded: Recorded) -> tuple[LogFiles, int]:
    matrix = recorded.files.matrices[0]
    other = matrix.replace('"50.00"', '"5000.00"')
    files = dataclasses.replace(recorded.files, matrices=(other, *recorded.files.matrices[1:]))
    return files, find(recorded.files, "matrix.published")


def checkpoint_changed(
    recorded: Recorded, change: Callable[[dict[str, Any]], object], type_: str, **data: Any
) -> tuple[LogFiles, int]:
    """The large case's checkpoint with its view changed."""
    index = find(recorded.files, type_, recorded.large, **data)
    id_ = json.loads(recorded.files.entries[index])["data"]["checkpoint"]
    view = json.loads(recorded.files.checkpoints[id_].model_dump_json())
    change(view)
    checkpoints = {
        **recorded.files.checkpoints,
        id_: CheckpointView.model_validate_json(json.dumps(view)),
    }
    return dataclasses.replace(recorded.files, checkpoints=checkpoints), index


def evidence_changed(recorded: Recorded) -> tuple[LogFiles, int]:
    def change(view: dict[str, Any]) -> None:
        view["evidence"]["proposal"]["amount"] = "499.00"

    return checkpoint_changed(recorded, change, "checkpoint.opened")


def evidence_item_gone(recorded: Recorded) -> tuple[LogFiles, int]:
    def change(view: dict[str, Any]) -> None:
        view["evidence"]["items"][0]["agent"] = "agent:second-scale"

    return checkpoint_changed(recorded, change, "checkpoint.opened")


def evidence_unsettled(recorded: Recorded) -> tuple[LogFiles, int]:
    """Evidence, its digest and the head made anew: the part was settled under no such grant."""
    id_ = ""

    def change(view: dict[str, Any]) -> None:
        nonlocal id_
        id_ = view["id"]
        view["evidence"]["items"][0]["digest"] = digest_bytes(b"another part")
        view["evidence_digest"] = digest_json(view["evidence"])

    files, index = checkpoint_changed(recorded, change, "checkpoint.opened")
    digest = digest_json(files.checkpoints[id_].evidence)
    return changed_entry(files, index, put(evidence_digest=digest)), index


def evidence_proposal(recorded: Recorded) -> tuple[LogFiles, int]:
    """Evidence, its digest and the head made anew: the part proposed another amount."""
    files, index = evidence_changed(recorded)
    id_ = json.loads(files.entries[index])["data"]["checkpoint"]
    digest = digest_json(files.checkpoints[id_].evidence)
    return changed_entry(files, index, put(evidence_digest=digest)), index


def denial_that_permits(recorded: Recorded) -> tuple[LogFiles, int]:
    """A denial told with the context of a grant: the policies would have said yes."""
    index = find(recorded.files, "grant.denied", recorded.held)
    other = find(recorded.files, "grant.issued", recorded.dispatched, action="parcel:dispatch")
    digest = json.loads(recorded.files.entries[other])["data"]["context_digest"]
    return changed_entry(recorded.files, index, put(context_digest=digest)), index


def requirement_changed(recorded: Recorded) -> tuple[LogFiles, int]:
    def change(view: dict[str, Any]) -> None:
        del view["requirement"]["needs"][1]

    return checkpoint_changed(recorded, change, "checkpoint.opened")


def asks_less(recorded: Recorded) -> tuple[LogFiles, int]:
    """One person where the matrix asks for two, with all digests made anew."""
    return _asks(recorded, lambda view: view["requirement"]["needs"].pop())


def asks_nobody(recorded: Recorded) -> tuple[LogFiles, int]:
    """Automatic mode, which the matrix does not have."""
    return _asks(recorded, lambda view: view["requirement"]["needs"].clear())


def lets_the_opener_decide(recorded: Recorded) -> tuple[LogFiles, int]:
    return _asks(recorded, lambda view: view["requirement"]["excluded"].clear())


def lets_the_inspector_decide(recorded: Recorded) -> tuple[LogFiles, int]:
    return _asks(recorded, lambda view: view["requirement"]["named"].clear())


def expires_as_it_likes(recorded: Recorded) -> tuple[LogFiles, int]:
    return _asks(recorded, lambda view: view["requirement"].update(expires_as="returned"))


def _asks(recorded: Recorded, change: Callable[[dict[str, Any]], object]) -> tuple[LogFiles, int]:
    files, index = checkpoint_changed(recorded, change, "checkpoint.opened")
    id_ = json.loads(files.entries[index])["data"]["checkpoint"]
    digest = digest_json(files.checkpoints[id_].requirement)
    return changed_entry(files, index, put(requirement_digest=digest)), index


def checkpoint_gone(recorded: Recorded) -> tuple[LogFiles, int]:
    files = dataclasses.replace(recorded.files, checkpoints={})
    return files, find(recorded.files, "checkpoint.opened")


def part_changed(recorded: Recorded) -> tuple[LogFiles, int]:
    return part(recorded, lambda kept: kept.model_copy(update={"content": kept.content + " "}))


def part_gone(recorded: Recorded) -> tuple[LogFiles, int]:
    return part(recorded, lambda _: None)


def part(recorded: Recorded, change: Callable[[Kept], Kept | None]) -> tuple[LogFiles, int]:
    """A settled part's content."""
    entries = [json.loads(each) for each in recorded.files.entries]
    index = next(
        number
        for number, each in enumerate(entries)
        if each["type"] == "grant.settled" and each["data"]["parts"]
    )
    digest = entries[index]["data"]["parts"][0]["digest"]
    parts = dict(recorded.files.parts)
    other = change(parts.pop(digest))
    if other is not None:
        parts[digest] = other
    return dataclasses.replace(recorded.files, parts=parts), index


def decision(recorded: Recorded) -> int:
    return find(recorded.files, "decision.recorded", recorded.large)


def decision_tampered(recorded: Recorded) -> tuple[LogFiles, int]:
    """One character of the signature, with the ledger's digest of it made anew."""

    def change(view: dict[str, Any]) -> None:
        head, payload, signature = view["decisions"][0]["jws"].split(".")
        other = "A" if signature[5] != "A" else "B"
        view["decisions"][0]["jws"] = f"{head}.{payload}.{signature[:5]}{other}{signature[6:]}"

    files, index = checkpoint_changed(recorded, change, "decision.recorded")
    id_ = json.loads(files.entries[index])["data"]["checkpoint"]
    jws = files.checkpoints[id_].decisions[0].jws
    return changed_entry(files, index, put(decision_digest=digest_bytes(jws.encode()))), index


def decision_gone(recorded: Recorded) -> tuple[LogFiles, int]:
    return checkpoint_changed(recorded, lambda view: view["decisions"].clear(), "decision.recorded")


def decision_by_another_key(recorded: Recorded) -> tuple[LogFiles, int]:
    """The forger decides with a key of their own under a person's name."""
    key = SigningKey.generate()

    def change(view: dict[str, Any]) -> None:
        one = view["decisions"][0]
        claims = DecisionClaims(
            iss=one["operator"],
            aud=recorded.files.issuer,
            iat=1,
            jti=one["jti"],
            sub=view["id"],
            txn=view["case"],
            evidence_digest=view["evidence_digest"],
            requirement_digest=view["requirement_digest"],
            verdict="approve",
            amount=view["requirement"]["amount"],
        )
        one["jws"] = sign_decision(claims, key)

    files, index = checkpoint_changed(recorded, change, "decision.recorded")
    id_ = json.loads(files.entries[index])["data"]["checkpoint"]
    jws = files.checkpoints[id_].decisions[0].jws
    data = put(decision_digest=digest_bytes(jws.encode()), key=key.public.thumbprint)
    return changed_entry(files, index, data), index


def decision_dropped(recorded: Recorded) -> tuple[LogFiles, int]:
    """The second person's word never was; the checkpoint still ended approved."""
    entries = list(recorded.files.entries)
    index = max(
        number
        for number, each in enumerate(entries)
        if json.loads(each)["type"] == "decision.recorded"
        and json.loads(each)["case"] == recorded.large
    )
    del entries[index]
    files = resigned(recorded.files, entries)
    return files, find(files, "checkpoint.resolved", recorded.large)


def decision_twice(recorded: Recorded) -> tuple[LogFiles, int]:
    entries = list(recorded.files.entries)
    index = decision(recorded)
    entries.insert(index + 1, entries[index])
    return resigned(recorded.files, entries), index + 1


def decision_after_the_end(recorded: Recorded) -> tuple[LogFiles, int]:
    """A decision moved behind the end of its checkpoint."""
    entries = list(recorded.files.entries)
    entry = entries.pop(decision(recorded))
    entries.append(entry)
    return resigned(recorded.files, entries), len(entries) - 1


def decision_too_late(recorded: Recorded) -> tuple[LogFiles, int]:
    """The checkpoint's deadline lay before its first decision."""
    opened = find(recorded.files, "checkpoint.opened", recorded.large)
    return changed_entry(recorded.files, opened, put(deadline=1)), decision(recorded)


def suspended_before_deciding(recorded: Recorded) -> tuple[LogFiles, int]:
    """The one who decided was suspended before; nothing signed says so, which is named as well."""
    entries = list(recorded.files.entries)
    index = decision(recorded)
    suspended = json.loads(entries[find(recorded.files, "hold.lifted")])
    suspended.update(type="operator.suspended")
    suspended.pop("record")
    suspended["data"]["target"] = "operator:cleo"
    entries.insert(index, canonical_json(suspended))
    return resigned(recorded.files, entries), index + 1


def _told_like_a_hold(recorded: Recorded, type_: str, **data: Any) -> bytes:
    """An entry of another type, in the form of the hold's lifting; its act is named as well."""
    entry = json.loads(recorded.files.entries[find(recorded.files, "hold.lifted")])
    entry.pop("record")
    entry["type"] = type_
    entry["data"].update(data)
    return canonical_json(entry)


def approver_suspended_before_the_payment(recorded: Recorded) -> tuple[LogFiles, int]:
    """Both had approved, and one was let go before the grant."""
    entries = list(recorded.files.entries)
    index = find(recorded.files, "grant.issued", recorded.large, action="parcel:dispatch")
    told = _told_like_a_hold(recorded, "operator.suspended", target="operator:cleo")
    entries.insert(index, told)
    return resigned(recorded.files, entries), index + 1


def approvers_key_revoked_before_the_payment(recorded: Recorded) -> tuple[LogFiles, int]:
    entries = list(recorded.files.entries)
    index = find(recorded.files, "grant.issued", recorded.large, action="parcel:dispatch")
    key = json.loads(entries[decision(recorded)])["data"]["key"]
    told = _told_like_a_hold(recorded, "key.revoked", target=key, principal="operator:cleo")
    entries.insert(index, told)
    return resigned(recorded.files, entries), index + 1


def _while_it_lives(recorded: Recorded, type_: str, **data: Any) -> tuple[LogFiles, int]:
    """Someone's standing ends while the grant that is for the payment lives, and it lives on."""
    entries = list(recorded.files.entries)
    index = find(recorded.files, "grant.issued", recorded.large, action="parcel:dispatch") + 1
    entries.insert(index, _told_like_a_hold(recorded, type_, **data))
    return resigned(recorded.files, entries), index


def agent_suspended_and_paid(recorded: Recorded) -> tuple[LogFiles, int]:
    return _while_it_lives(recorded, "agent.suspended", target="agent:carrier")


def agents_key_revoked_and_paid(recorded: Recorded) -> tuple[LogFiles, int]:
    index = find(recorded.files, "grant.issued", recorded.large, action="parcel:dispatch")
    key = json.loads(recorded.files.entries[index])["data"]["key"]
    return _while_it_lives(recorded, "key.revoked", target=key, principal="agent:carrier")


def agents_key_revoked_and_settled(recorded: Recorded) -> tuple[LogFiles, int]:
    files, index = agents_key_revoked_and_paid(recorded)
    grant = json.loads(files.entries[index - 1])["data"]["grant"]
    return files, find(files, "grant.settled", grant=grant)


def approver_suspended_and_paid(recorded: Recorded) -> tuple[LogFiles, int]:
    return _while_it_lives(recorded, "operator.suspended", target="operator:cleo")


def rotation_left_out(recorded: Recorded) -> tuple[LogFiles, int]:
    """The payload key was rotated twice, and the log tells of the second as if of the third."""
    entries = list(recorded.files.entries)
    for key, replaces in (("tenant-b", "tenant-a"), ("tenant-d", "tenant-c")):
        entry = json.loads(entries[find(recorded.files, "key.published")])
        data = {"purpose": "payloads", "key": key, "replaces": replaces, "cases": 1, "open": 0}
        entries.append(canonical_json({**entry, "type": "key.rotated", "data": data}))
    return resigned(recorded.files, entries), len(entries) - 1


def test_another_passphrase_changes_no_key(recorded: Recorded) -> None:
    """I8: between two rotations of the payload keys it takes the place of neither."""
    entries = list(recorded.files.entries)
    entry = json.loads(entries[find(recorded.files, "key.published")])
    for data in (
        {"purpose": "payloads", "key": "tenant-b", "replaces": "tenant-a", "cases": 1, "open": 0},
        {"purpose": "passphrase", "signing": 2, "tenant": 2},
        {"purpose": "payloads", "key": "tenant-c", "replaces": "tenant-b", "cases": 1, "open": 0},
    ):
        later = {**entry, "type": "key.rotated", "data": data}
        entries.append(canonical_json({**later, "time": json.loads(entries[-1])["time"]}))
    assert verify(resigned(recorded.files, entries)).troubles == ()


def hold_never_placed(recorded: Recorded) -> tuple[LogFiles, int]:
    entries = list(recorded.files.entries)
    lifted = json.loads(entries[find(recorded.files, "hold.lifted")])["record"]
    placed = next(
        number
        for number, each in enumerate(map(json.loads, entries))
        if each["type"] == "hold.placed" and each["record"] == lifted
    )
    del entries[placed]
    files = resigned(recorded.files, entries)
    return files, find(files, "hold.lifted")


def hold_placed_again(recorded: Recorded) -> tuple[LogFiles, int]:
    entries = list(recorded.files.entries)
    index = find(recorded.files, "hold.placed")
    entries.insert(index + 1, entries[index])
    return resigned(recorded.files, entries), index + 1


def not_asked_first(recorded: Recorded) -> tuple[LogFiles, int]:
    """A finding that customs must look at first, and customs was never asked."""

    def change(view: dict[str, Any]) -> None:
        view["evidence"]["proposal"]["findings"] = [_dutiable()]

    return checkpoint_changed(recorded, change, "checkpoint.opened")


def paid_though_not_asked_first(recorded: Recorded) -> tuple[LogFiles, int]:
    files, _ = not_asked_first(recorded)
    return files, find(files, "grant.issued", recorded.large, action="parcel:dispatch")


def _dutiable() -> dict[str, Any]:
    finding = "parcel.dutiable#value"
    return {"id": finding, "check": "parcel.dutiable", "severity": "info", "message": "a duty"}


def closed_as(recorded: Recorded, case: str, result: str) -> tuple[LogFiles, int]:
    index = find(recorded.files, "case.closed", case)
    return changed_entry(recorded.files, index, put(result=result)), index


def without_checkpoint(entry: Entry) -> None:
    for name in ("checkpoint", "approvals", "evidence_digest"):
        del entry["data"][name]


def approval_of_another_case(recorded: Recorded) -> tuple[LogFiles, int]:
    """The large case's payment under the small one's approval."""
    small = find(recorded.files, "grant.issued", recorded.dispatched, action="parcel:dispatch")
    index = find(recorded.files, "grant.issued", recorded.large, action="parcel:dispatch")
    told = json.loads(recorded.files.entries[small])["data"]
    data = put(**{name: told[name] for name in ("checkpoint", "approvals", "evidence_digest")})
    return changed_entry(recorded.files, index, data), index


def grant_again(recorded: Recorded) -> tuple[LogFiles, int]:
    entries = list(recorded.files.entries)
    index = find(recorded.files, "grant.issued")
    entries.insert(index + 1, entries[index])
    return resigned(recorded.files, entries), index + 1


def end_again(recorded: Recorded) -> tuple[LogFiles, int]:
    entries = list(recorded.files.entries)
    index = find(recorded.files, "grant.settled")
    entries.insert(index + 1, entries[index])
    return resigned(recorded.files, entries), index + 1


def settled_without_its_part(recorded: Recorded) -> tuple[LogFiles, int]:
    index = next(
        number
        for number, each in enumerate(map(json.loads, recorded.files.entries))
        if each["type"] == "grant.settled" and each["data"]["parts"]
    )
    return changed_entry(recorded.files, index, put(parts=[])), index


def settled_with_anothers_word(recorded: Recorded) -> tuple[LogFiles, int]:
    """Genuine, of the same agent: it settled a grant before with it."""
    *_, (_, before), (index, _) = [
        (number, each)
        for number, each in enumerate(map(json.loads, recorded.files.entries))
        if (each["type"], each["actor"]) == ("grant.settled", "agent:orchestrator")
    ]
    word = before["data"]["settlement"]
    return changed_entry(recorded.files, index, put(settlement=word)), index


def _attempt(entry: Entry) -> None:
    entry["data"]["activity"]["attempt"] += 1


def granted_for_another_attempt(recorded: Recorded, **more: Any) -> tuple[LogFiles, int]:
    """As if the step had been granted at its next try; the entry's digest is of the one before."""
    index = find(recorded.files, "grant.issued", recorded.large)

    def change(entry: Entry) -> None:
        _attempt(entry)
        entry["data"].update(more)

    return changed_entry(recorded.files, index, change), index


def settled_under_another_grant(recorded: Recorded) -> tuple[LogFiles, int]:
    """The same, with a digest that fits: what its agent settled, it was given otherwise."""
    index = find(recorded.files, "grant.issued", recorded.large)

    def change(entry: Entry) -> None:
        _attempt(entry)
        data = entry["data"]
        details = GrantedDetails(
            locations=(system_urn(data["system"]),),
            actions=(data["action"],),
            identifier=entry["record"],
            case=entry["case"],
            activity=data["activity"],
        )
        data["details_digest"] = digest_json(details)

    files = changed_entry(recorded.files, index, change)
    grant = json.loads(files.entries[index])["data"]["grant"]
    return files, find(files, "grant.settled", grant=grant)


def granted_more_than_approved(recorded: Recorded) -> tuple[LogFiles, int]:
    """What was granted for the payment has a higher amount than people signed for."""
    index = find(recorded.files, "grant.issued", recorded.large, action="parcel:dispatch")
    data = json.loads(recorded.files.entries[index])
    said = data["data"]
    view = recorded.files.checkpoints[said["checkpoint"]]
    details = GrantedDetails(
        locations=(system_urn(said["system"]),),
        actions=(said["action"],),
        identifier=data["record"],
        case=data["case"],
        activity=said["activity"],
        max_amount=view.evidence.proposal.amount,
        payments_digest=view.evidence.proposal.payments_digest,
        approvals=said["approvals"],
        evidence_digest=said["evidence_digest"],
        record_version=view.evidence.proposal.record_version,
    )
    assert digest_json(details) == said["details_digest"]
    more = details.model_copy(update={"max_amount": Decimal("9999.99")})
    change = put(details_digest=digest_json(more))
    return changed_entry(recorded.files, index, change), index


def settled_by_the_owner(recorded: Recorded) -> tuple[LogFiles, int]:
    """Said anew by whoever owns the log, who has every key but the agent's."""
    index = find(recorded.files, "grant.settled", recorded.large)
    data = json.loads(recorded.files.entries[index])["data"]
    said = json.loads(base64.urlsafe_b64decode(data["settlement"].split(".")[1] + "=="))
    key = SigningKey.generate()
    word = sign_settlement(SettlementClaims.model_validate(said), key)
    return changed_entry(recorded.files, index, put(settlement=word)), index


def read_otherwise(
    recorded: Recorded, read: Callable[[list[str]], list[str]]
) -> tuple[LogFiles, int]:
    """The first step of a case that has read anything has read something else."""
    for index, data in enumerate(recorded.files.entries):
        entry = json.loads(data)
        if (entry["type"], entry.get("case")) == ("grant.settled", recorded.large):
            if entry["data"]["inputs"]:
                told = sorted(read(entry["data"]["inputs"]))
                return changed_entry(recorded.files, index, put(inputs=told)), index
    raise AssertionError("no step has read anything")


def read_less(recorded: Recorded) -> tuple[LogFiles, int]:
    return read_otherwise(recorded, lambda inputs: inputs[1:])


def read_of_another_case(recorded: Recorded) -> tuple[LogFiles, int]:
    left = [
        part["digest"]
        for each in map(json.loads, recorded.files.entries)
        if (each["type"], each.get("case")) == ("grant.settled", recorded.dispatched)
        for part in each["data"]["parts"]
    ]
    return read_otherwise(recorded, lambda inputs: [*inputs[1:], left[0]])


def grant_gone(recorded: Recorded) -> tuple[LogFiles, int]:
    entries = list(recorded.files.entries)
    index = find(recorded.files, "grant.issued")
    del entries[index]
    files = resigned(recorded.files, entries)
    return files, find(files, "grant.settled")


def opening_gone(recorded: Recorded) -> tuple[LogFiles, int]:
    entries = list(recorded.files.entries)
    del entries[find(recorded.files, "case.opened", recorded.large)]
    files = resigned(recorded.files, entries)
    return files, find(files, "grant.issued", recorded.large)


def archive_changed(recorded: Recorded) -> tuple[LogFiles, int]:
    files = forged_history(recorded.files, recorded.large, lambda h: h["events"].pop())
    return files, find(recorded.files, "case.archived", recorded.large)


def archive_gone(recorded: Recorded) -> tuple[LogFiles, int]:
    files = dataclasses.replace(recorded.files, archives={})
    return files, find(recorded.files, "case.archived")


def use_of_no_grant(recorded: Recorded) -> tuple[LogFiles, int]:
    entries = list(recorded.files.entries)
    used = json.loads(entries[find(recorded.files, "grant.settled")])
    used.update(type="action.performed", actor="system:authority")
    used["data"] = {"grant": "grant-00000000000000000000000000", "action": "parcel:dispatch"}
    entries.append(canonical_json(used))
    return resigned(recorded.files, entries), len(entries) - 1


def unknown_kind(recorded: Recorded) -> tuple[LogFiles, int]:
    index = find(recorded.files, "hold.placed")
    return changed_entry(recorded.files, index, lambda e: e.update(type="hold.moved")), index


def not_canonical(recorded: Recorded) -> tuple[LogFiles, int]:
    entries = list(recorded.files.entries)
    entries[17] += b" "
    return resigned(recorded.files, entries), 17


FORGERIES: dict[str, tuple[Change, str]] = {
    "unknown-kind": (unknown_kind, "log"),
    "not-canonical": (not_canonical, "log"),
    "no-administrators": (entry_of("log.created", put(administrators={})), "log-created"),
    "created-again": (
        entry_of("hold.placed", lambda e: e.update(type="log.created")),
        "log-created",
    ),
    "enrolled-by-nobody": (
        entry_of("key.enrolled", put(act=None), principal="operator:hal"),
        "key-unsigned",
    ),
    "enrolled-another-key": (enrol_another_key, "act-says-other"),
    "act-held-back": (entry_of("hold.placed", later(hours=2)), "act-late"),
    "decision-held-back": (entry_of("decision.recorded", later(minutes=20)), "decision-late"),
    "closed-twice": (lambda recorded: twice(recorded, "case.closed"), "case-twice"),
    "sealed-twice": (lambda recorded: twice(recorded, "case.archived"), "case-twice"),
    "what-a-history-was-left-out": (
        entry_of("checkpoint.opened", lambda entry: entry["data"].pop("history")),
        "history-prefix",
    ),
    "process-that-nobody-published": (
        lambda recorded: never(recorded, "process.published"),
        "process-unpublished",
    ),
    "matrix-that-nobody-published": (
        lambda recorded: never(recorded, "matrix.published"),
        "matrix-unpublished",
    ),
    "policies-that-nobody-published": (
        lambda recorded: never(recorded, "policy.published"),
        "policy-unpublished",
    ),
    "first-administrator-in-another-role": (
        entry_of("key.enrolled", put(roles=["administrator", "chief"]), principal="operator:ada"),
        "key-unsigned",
    ),
    "enrolled-another-role": (
        entry_of("key.enrolled", put(roles=["chief"]), principal="operator:cleo"),
        "act-says-other",
    ),
    "enrolled-a-broken-key": (
        entry_of("key.enrolled", put(jwk={"kty": "EC"}), principal="operator:hal"),
        "key",
    ),
    "act-by-another": (entry_of("hold.placed", by("operator:pat")), "act-signature"),
    "act-told-as-another": (other_act, "act-says-other"),
    "act-on-another-target": (
        entry_of("hold.placed", put(target="depot/D1/parcel/8")),
        "act-says-other",
    ),
    "act-twice": (lambda recorded: twice(recorded, "hold.placed"), "act-twice"),
    "past-made-anew": (past_made_anew, "seen-head"),
    "past-of-which-agents-have-signed": (agents_past_made_anew, "seen-head"),
    "past-forgotten": (forgotten, "seen-head"),
    "signed-before-it-was-seen": (signed_before_it_was_seen, "seen-head"),
    "act-gone": (acts_without, "act-missing"),
    "act-signature": (act_signature, "act-signature"),
    "act-body": (act_body('{"process":"parcel-check","subject":"depot/D1/parcel/1"}'), "act-body"),
    "act-body-no-json": (act_body("{"), "act-body"),
    "act-body-deep": (act_body("[" * 100_000), "act-body"),
    "act-by-no-opener": (entry_of("case.opened", put(matrix_digest="none")), "matrix-missing"),
    "policy-changed": (policy_changed, "policy-missing"),
    "policy-unreadable": (policy_unreadable, "policy-missing"),
    "process-gone": (process_gone, "process-missing"),
    "matrix-changed": (matrix_changed, "matrix-missing"),
    "context-gone": (context_gone, "context-missing"),
    "context-changed": (context_changed, "context-digest"),
    "context-of-another-grant": (context_of_another_grant, "context-says-other"),
    "context-that-denies": (context_that_denies, "policy-differs"),
    "policies-other": (entry_of("grant.issued", put(policies=["approved"])), "policy-reasons"),
    "evidence-changed": (evidence_changed, "evidence-digest"),
    "evidence-item-changed": (evidence_item_gone, "evidence-digest"),
    "evidence-proposes-other": (evidence_proposal, "evidence-proposal"),
    "denial-that-permits": (denial_that_permits, "policy-differs"),
    "evidence-unsettled": (evidence_unsettled, "evidence-unsettled"),
    "requirement-changed": (requirement_changed, "requirement-digest"),
    "requirement-asks-less": (asks_less, "requirement"),
    "requirement-asks-nobody": (asks_nobody, "requirement"),
    "requirement-excludes-nobody": (lets_the_opener_decide, "requirement"),
    "requirement-names-nobody": (lets_the_inspector_decide, "requirement"),
    "requirement-expires-otherwise": (expires_as_it_likes, "requirement"),
    "checkpoint-gone": (checkpoint_gone, "checkpoint-missing"),
    "part-changed": (part_changed, "part-digest"),
    "part-gone": (part_gone, "part-missing"),
    "decision-tampered": (decision_tampered, "decision-signature"),
    "decision-gone": (decision_gone, "decision-missing"),
    "decision-by-another-key": (decision_by_another_key, "decision-key"),
    "decision-by-another": (
        entry_of("decision.recorded", by("operator:hal")),
        "decision-key",
    ),
    "decision-other-verdict": (
        entry_of("decision.recorded", put(verdict="abstain")),
        "decision-claims",
    ),
    "decision-other-roles": (entry_of("decision.recorded", put(roles=["chief"])), "decision-roles"),
    "decision-dropped": (decision_dropped, "outcome"),
    "decision-twice": (decision_twice, "decision-refusable"),
    "decision-after-the-end": (decision_after_the_end, "decision-refusable"),
    "decision-too-late": (decision_too_late, "decision-refusable"),
    "decision-while-suspended": (suspended_before_deciding, "decision-refusable"),
    "outcome-other": (entry_of("checkpoint.resolved", put(status="rejected")), "outcome"),
    "grant-by-another-agent": (entry_of("grant.issued", by("agent:carrier")), "grant-step"),
    "grant-for-another-action": (
        entry_of("grant.issued", put(action="parcel:dispatch"), action="parcel:weigh"),
        "grant-step",
    ),
    "grant-of-another-key": (entry_of("grant.issued", put(key="A" * 43)), "grant-key"),
    "grant-without-approval": (
        entry_of("grant.issued", without_checkpoint, action="parcel:dispatch"),
        "grant-approval",
    ),
    "grant-on-anothers-approval": (approval_of_another_case, "grant-approval"),
    "grant-with-other-approvals": (
        entry_of("grant.issued", put(approvals=["A" * 24]), action="parcel:dispatch"),
        "grant-approval",
    ),
    "grant-again": (grant_again, "grant-twice"),
    "grant-gone": (grant_gone, "end-without-grant"),
    "grant-ended-again": (end_again, "grant-ended-twice"),
    "settled-by-another": (entry_of("grant.settled", by("agent:carrier")), "end-by-another"),
    "granted-for-another-attempt": (granted_for_another_attempt, "grant-details"),
    "granted-as-if-with-approvals": (
        lambda recorded: granted_for_another_attempt(recorded, approvals=["A" * 24]),
        "grant-details",
    ),
    "granted-more-than-approved": (granted_more_than_approved, "grant-details"),
    "settled-under-another-grant": (settled_under_another_grant, "settlement-says-other"),
    "settled-unsigned": (entry_of("grant.settled", put(settlement=None)), "settlement-signature"),
    "settled-by-the-owner-of-the-log": (settled_by_the_owner, "settlement-signature"),
    "settled-with-anothers-word": (settled_with_anothers_word, "settlement-says-other"),
    "settled-with-other-words": (
        entry_of("grant.settled", put(reasoning_digest=None), outcome="failed"),
        "settlement-says-other",
    ),
    "settled-as-if-it-had-read-less": (read_less, "settlement-says-other"),
    "settled-as-if-it-had-read-anothers": (read_of_another_case, "part-unsettled"),
    "settled-without-its-part": (settled_without_its_part, "settlement-says-other"),
    "settled-after-its-key-was-revoked": (agents_key_revoked_and_settled, "settlement-key"),
    "use-of-no-grant": (use_of_no_grant, "use-without-grant"),
    "opening-gone": (opening_gone, "grant-without-case"),
    "paid-after-the-approver-was-suspended": (
        approver_suspended_before_the_payment,
        "approver-not-active",
    ),
    "paid-after-the-approvers-key-was-revoked": (
        approvers_key_revoked_before_the_payment,
        "approver-not-active",
    ),
    "grant-outlives-its-agent": (agent_suspended_and_paid, "grant-outlives"),
    "grant-outlives-its-key": (agents_key_revoked_and_paid, "grant-outlives"),
    "grant-outlives-its-approver": (approver_suspended_and_paid, "grant-outlives"),
    "hold-never-placed": (hold_never_placed, "hold-lifted"),
    "hold-lifted-by-another": (entry_of("hold.lifted", by("operator:cid")), "hold-lifted"),
    "hold-placed-again": (hold_placed_again, "hold-twice"),
    "not-asked-first": (not_asked_first, "checkpoint-before"),
    "paid-though-not-asked-first": (paid_though_not_asked_first, "checkpoint-before"),
    "rejected-closed-as-dispatched": (
        lambda recorded: closed_as(recorded, recorded.rejected, "dispatched"),
        "result-unsupported",
    ),
    "dispatched-closed-as-rejected": (
        lambda recorded: closed_as(recorded, recorded.large, "rejected"),
        "result-unsupported",
    ),
    "closed-with-a-word-of-its-own": (
        lambda recorded: closed_as(recorded, recorded.large, "fine"),
        "result-unsupported",
    ),
    "rotation-left-out": (rotation_left_out, "key-replaces"),
    "archive-changed": (archive_changed, "event-digest"),
    "archive-gone": (archive_gone, "archive-missing"),
}


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_a_forgery_under_the_logs_own_key_is_found_at_its_entry(
    recorded: Recorded, name: str
) -> None:
    """I3, I5, I6, I8, I13: the tree fits, the signatures and what follows from them do not."""
    forge, trouble = FORGERIES[name]
    files, index = forge(recorded)
    assert (trouble, f"entry {index}") in names(verify(files))


def _spelled(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(("hours", "late"), [(1, False), (2, True)])
def test_a_closed_case_that_is_not_archived_in_time_is_told(
    recorded: Recorded, hours: int, late: bool
) -> None:
    """I9: its workflow goes on, so nobody can replay it; an hour is what it may take."""
    entries = list(recorded.files.entries)
    del entries[find(recorded.files, "case.archived", recorded.large)]
    closed = json.loads(entries[find(recorded.files, "case.closed", recorded.large)])["time"]
    last = json.loads(entries[-1])
    last["time"] = _spelled(datetime.fromisoformat(closed) + timedelta(hours=hours))
    entries[-1] = canonical_json(last)
    report = verify(resigned(recorded.files, entries))
    assert (("archive-late", recorded.large) in names(report)) is late
    assert report.checked["closed cases not archived"] >= 1


def test_other_administrators_than_those_trusted_are_found(recorded: Recorded) -> None:
    """I8: a log made anew with new keys verifies, but not under what the auditor got elsewhere."""
    files = dataclasses.replace(recorded.files, trusted_administrators=("A" * 43,))
    assert ("administrators", "entry 0") in names(verify(files))


# --- any byte -------------------------------------------------------------------------------

FIELDS = {
    "acts": ("jws", "body"),
    "kept": ("salt", "content"),
    "parts": ("salt", "content"),
    "archives": ("runs", "seal", "contents", "workflow_id", "salt"),
    "checkpoints": ("evidence", "requirement", "decisions"),
}
KINDS = ("entries", "head", "processes", "matrices", "policies", *FIELDS)


@dataclasses.dataclass(frozen=True)
class Flip:
    """One bit of one file: which file, which one of its kind, which field, byte and bit."""

    kind: str
    one: int
    field: int
    byte: int
    bit: int

    def of(self, content: bytes) -> bytes:
        at = self.byte % len(content)
        return content[:at] + bytes([content[at] ^ (1 << self.bit)]) + content[at + 1 :]

    def text(self, content: str) -> str:
        return self.of(content.encode()).decode()


def flipped(files: LogFiles, flip: Flip) -> LogFiles:
    """The files with the bit changed.

    Raises:
        ValueError: the file is not even loaded then.
    """
    found = getattr(files, flip.kind)
    if flip.kind == "entries":
        entries = list(found)
        at = flip.one % len(entries)
        entries[at] = flip.of(entries[at])
        return dataclasses.replace(files, entries=tuple(entries))
    if flip.kind == "head":
        return dataclasses.replace(files, head=flip.text(files.head))
    if flip.kind == "policies":
        ((policies, schema),) = files.policies
        return dataclasses.replace(files, policies=((flip.text(policies), schema),))
    if flip.kind in {"processes", "matrices"}:
        return dataclasses.replace(files, **{flip.kind: (flip.text(found[0]), *found[1:])})
    name = sorted(found)[flip.one % len(found)]
    field = FIELDS[flip.kind][flip.field % len(FIELDS[flip.kind])]
    if flip.kind == "archives":
        told = json.loads(found[name].model_dump_json())
        told[field] = json.loads(flip.text(json.dumps(told[field])))
        changed = CaseArchive.model_validate_json(json.dumps(told))
    elif flip.kind == "checkpoints":
        changed = flipped_view(found[name], field, flip)
    else:
        changed = found[name].model_copy(update={field: flip.text(getattr(found[name], field))})
    return dataclasses.replace(files, **{flip.kind: {**found, name: changed}})


def flipped_view(view: CheckpointView, field: str, flip: Flip) -> CheckpointView:
    told = json.loads(view.model_dump_json())
    told[field] = json.loads(flip.text(json.dumps(told[field])))
    changed = CheckpointView.model_validate_json(json.dumps(told))
    signed = [[each.jws for each in one.decisions] for one in (view, changed)]
    if field == "decisions" and signed[0] == signed[1]:
        raise ValueError("the view's own words, which prove nothing and are not read")
    return changed


@pytest.mark.parametrize("kind", ["acts", "kept", "parts"])
def test_nothing_is_kept_that_is_not_held_against_the_ledger(recorded: Recorded, kind: str) -> None:
    """I8, I13: agents' words as well: each text that was fetched, with one bit of it changed."""
    for one, name in enumerate(sorted(getattr(recorded.files, kind))):
        files = flipped(recorded.files, Flip(kind, one, field=1, byte=-2, bit=0))
        assert not verify(files).holds, name


def respelled(kind: str) -> Callable[[LogFiles, str], LogFiles]:
    """The first JSON text of a kind, with a space that changes nothing of what it says."""

    def change(files: LogFiles, case: str) -> LogFiles:
        found = getattr(files, kind)
        if kind != "acts":
            return dataclasses.replace(files, **{kind: (" " + found[0], *found[1:])})
        name = json.loads(files.entries[find(files, "case.opened", case)])["data"]["act"]
        other = found[name].model_copy(update={"body": found[name].body + " "})
        return dataclasses.replace(files, acts={**found, name: other})

    return change


def told_twice(files: LogFiles, case: str) -> LogFiles:
    """A forged list of events before the genuine one: whoever reads the first is misled."""
    (run,) = files.archives[case].runs
    return with_history(files, case, '{"events": [], ' + run.history.lstrip("{ \n"))


def other_salt(files: LogFiles, case: str) -> LogFiles:
    """A salt's last character: four of them spell the same bytes."""
    digest = min(files.kept)
    salt = files.kept[digest].salt
    other = salt[:-1] + chr(ord(salt[-1]) + 1)
    assert base64.urlsafe_b64decode(other + "=") == base64.urlsafe_b64decode(salt + "=")
    kept = files.kept[digest].model_copy(update={"salt": other})
    return dataclasses.replace(files, kept={**files.kept, digest: kept})


SPELLINGS: dict[str, tuple[Callable[[LogFiles, str], LogFiles], str]] = {
    "act": (respelled("acts"), "act-body"),
    "process": (respelled("processes"), "process-missing"),
    "matrix": (respelled("matrices"), "matrix-missing"),
    "history": (told_twice, "history-spelling"),
    "salt": (other_salt, "-digest"),
}


@pytest.mark.parametrize("name", sorted(SPELLINGS))
def test_what_is_kept_has_one_spelling(recorded: Recorded, name: str) -> None:
    """I8: bytes that say the same were changed all the same."""
    change, trouble = SPELLINGS[name]
    report = verify(change(recorded.files, recorded.large))
    assert any(each.name.endswith(trouble) for each in report.troubles)


numbers = st.integers(0, 1_000_000)


@settings(max_examples=60)
@given(flip=st.builds(Flip, st.sampled_from(KINDS), numbers, numbers, numbers, st.integers(0, 6)))
def test_any_changed_byte_is_found(recorded: Recorded, flip: Flip) -> None:
    """I8, I12: one bit of any file: never a crash, and never a log that holds."""
    try:
        files = flipped(recorded.files, flip)
    except ValueError:
        return
    assert not verify(files).holds
