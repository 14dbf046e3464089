"""I8: a log whose key was changed, and what whoever has one of its keys could try with it."""

import asyncio
import dataclasses
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from placet.audit import ActFile, LogFiles, Report, population, verify
from placet.authority import SigningKeys, Store, make_log_key
from placet.cli._fetch import fetch_log
from placet.client import OperatorClient
from placet.ledger import (
    Checkpoint,
    NoteSigner,
    decode_entry,
    encode_entry,
    leaf_hash,
    root_hash,
    sign_checkpoint,
)
from placet.model import ActClaims, EnrolIdentity, RekeyLog, canonical_json, digest_json
from placet.tokens import SigningKey, sign_act
from tests.audit.recording import log_signer
from tests.harness.alone import Alone, alone
from tests.harness.world import PASSPHRASE, until


@dataclasses.dataclass(frozen=True, repr=False)
class Rotated:
    """A log whose key was changed twice, and everything that a thief could have of it."""

    files: LogFiles
    signers: tuple[NoteSigner, ...]
    ada: SigningKey
    cleo: SigningKey
    named: tuple[int, ...]
    retired: tuple[int, ...]

    def __repr__(self) -> str:
        """Short, as a failed test shows it."""
        return f"<a log of {len(self.files.entries)} entries under {len(self.signers)} keys>"

    def trusting(self, number: int, files: LogFiles | None = None) -> LogFiles:
        """The files as someone reads them who knows one of its keys."""
        vkey = self.signers[number].verifier.vkey
        return dataclasses.replace(files or self.files, trusted_log_key=vkey)

    def upto(self, size: int, *by: int) -> LogFiles:
        """The log when it had so many entries, under a head that these keys signed."""
        return self.signed(self.files.entries[:size], *by)

    def signed(self, entries: Sequence[bytes], *by: int) -> LogFiles:
        """Other entries, under a head that fits them."""
        note = self.head(entries, *by)
        return dataclasses.replace(self.files, entries=tuple(entries), head=note)

    def head(self, entries: Sequence[bytes], *by: int) -> str:
        """A head of these entries that some of the keys signed."""
        root = root_hash([leaf_hash(each) for each in entries])
        head = Checkpoint(self.files.origin, len(entries), root)
        return sign_checkpoint(head, [self.signers[each] for each in by])


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Rotated:
    """Made once; the tests only read it."""
    return asyncio.run(_rotate(tmp_path_factory.mktemp("rotated")))


async def _rotate(folder: Path) -> Rotated:
    async with alone(f"sqlite:///{folder / 'authority.db'}") as running, running.ada() as ada:
        cleo = SigningKey.generate()
        body = EnrolIdentity(jwk=dict(cleo.public.jwk()), roles=("clerk",))
        await ada.act("operator.enrol", "operator:cleo", body)
        signers = [await log_signer(running.settings)]
        for _ in range(2):
            await _covered(ada)
            await ada.act("log.rekey", "log", await _made(running))
            signers.append(await log_signer(running.settings))
            await _covered(ada)
            running.ahead += timedelta(hours=2)
            await until(lambda: _alone(ada))
        files = await fetch_log(ada)
        types = [json.loads(each)["type"] for each in files.entries]
        return Rotated(
            files,
            tuple(signers),
            running.admin,
            cleo,
            tuple(n for n, each in enumerate(types) if each == "log.rekeyed"),
            tuple(n for n, each in enumerate(types) if each == "key.retired"),
        )


async def _made(running: Alone) -> RekeyLog:
    settings = running.settings
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        made = await make_log_key(store, SigningKeys(PASSPHRASE))
    return made.model_copy(update={"overlap_hours": 1})


async def _covered(ada: OperatorClient) -> None:
    async def covering() -> bool:
        head, page = await ada.head(), await ada.get("/v1/ledger/entries?limit=1024")
        return head is not None and int(head.split("\n")[1]) == len(page["entries"])

    await until(covering)


async def _alone(ada: OperatorClient) -> bool:
    """Whether the newest head has one signature."""
    return (await ada.head() or "").count("\u2014") == 1


def names(report: Report) -> set[str]:
    return {each.name for each in report.troubles}


@pytest.mark.parametrize("number", range(3))
def test_each_key_leads_to_the_newest_and_to_all_heads(rotated: Rotated, number: int) -> None:
    """I8: who knows any of them verifies the whole log, and every head that was ever signed."""
    assert rotated.files.own_heads
    files = dataclasses.replace(
        rotated.trusting(number), kept_heads=(*rotated.files.own_heads, rotated.files.head)
    )
    report = verify(files)
    assert report.troubles == ()
    assert report.trusted
    assert population(files).complete


def test_without_trust_it_is_consistent_with_itself_only(rotated: Rotated) -> None:
    report = verify(rotated.files)
    assert report.holds
    assert not report.trusted


def test_a_head_of_before_verifies_under_its_own_key(rotated: Rotated) -> None:
    """I8: an old copy of the log, before the rotation and while both keys signed."""
    before, after = rotated.named[0], rotated.retired[0]
    for size, by in ((before, (0,)), (before + 1, (0, 1)), (after, (0,)), (after + 1, (1,))):
        assert verify(rotated.trusting(0, rotated.upto(size, *by))).troubles == ()


Forgery = Callable[[Rotated], LogFiles]


def new_key_before_its_entry(rotated: Rotated) -> LogFiles:
    return rotated.upto(rotated.named[0], 1)


def new_key_without_handover(rotated: Rotated) -> LogFiles:
    return dataclasses.replace(rotated.files, handovers=())


def second_handover_left_out(rotated: Rotated) -> LogFiles:
    return dataclasses.replace(rotated.files, handovers=rotated.files.handovers[:1])


def handover_by_the_new_key_alone(rotated: Rotated) -> LogFiles:
    entries = rotated.files.entries[: rotated.named[0] + 1]
    return dataclasses.replace(
        rotated.files, handovers=(rotated.head(entries, 1), *rotated.files.handovers[1:])
    )


def handover_that_has_not_the_entry(rotated: Rotated) -> LogFiles:
    entries = rotated.files.entries[: rotated.named[0]]
    return dataclasses.replace(
        rotated.files, handovers=(rotated.head(entries, 0), *rotated.files.handovers[1:])
    )


def past_rewritten_with_the_new_key(rotated: Rotated) -> LogFiles:
    """Who has the newest key alone changes what the first has signed."""
    entries = list(rotated.files.entries)
    entry = decode_entry(entries[rotated.named[0] - 1])
    entries[rotated.named[0] - 1] = encode_entry(
        entry.model_copy(update={"time": entry.time - timedelta(milliseconds=1)})
    )
    return rotated.signed(entries, 2)


def retired_key_goes_on(rotated: Rotated) -> LogFiles:
    return rotated.upto(rotated.retired[0] + 1, 0)


def named_by_nobody(rotated: Rotated) -> LogFiles:
    """Who has the database and both keys names the new one without a person."""
    return _named_otherwise(rotated, act=None)


def named_by_a_clerk(rotated: Rotated) -> LogFiles:
    return _named_otherwise(rotated, act=("operator:cleo", rotated.cleo))


def named_for_another_act(rotated: Rotated) -> LogFiles:
    return _named_otherwise(rotated, act=("operator:ada", rotated.ada), name="log.read")


def named_other_than_signed(rotated: Rotated) -> LogFiles:
    return _named_otherwise(rotated, act=("operator:ada", rotated.ada), hours=1, signed_hours=5)


def named_for_ever(rotated: Rotated) -> LogFiles:
    return _named_otherwise(rotated, act=("operator:ada", rotated.ada), hours=-1)


def named_in_anothers_place(rotated: Rotated) -> LogFiles:
    """A second entry names a key in the place of the first one, which has gone."""
    return _named_again(rotated, replaces=0, key=2)


def named_a_key_of_before(rotated: Rotated) -> LogFiles:
    return _named_again(rotated, replaces=1, key=0)


def published_a_second_one(rotated: Rotated) -> LogFiles:
    first = next(each for each in rotated.files.entries if b'"purpose":"heads"' in each)
    return rotated.signed([*rotated.files.entries[: rotated.named[0]], first], 0)


def retired_too_early(rotated: Rotated) -> LogFiles:
    entries = list(rotated.files.entries[: rotated.retired[0] + 1])
    entry = decode_entry(entries[-1])
    entries[-1] = encode_entry(entry.model_copy(update={"time": entry.time - timedelta(hours=2)}))
    return rotated.signed(entries, 1)


def retired_the_only_one(rotated: Rotated) -> LogFiles:
    retired = rotated.files.entries[rotated.retired[0]]
    return rotated.signed([*rotated.files.entries[: rotated.named[0]], retired], 0)


def _named_otherwise(
    rotated: Rotated,
    act: tuple[str, SigningKey] | None,
    *,
    name: str = "log.rekey",
    hours: int = 1,
    signed_hours: int | None = None,
) -> LogFiles:
    """The log up to the first rotation, which is made anew; the first key signs the handover."""
    index = rotated.named[0]
    entry = decode_entry(rotated.files.entries[index])
    body = {**_body(rotated, 0, 1), "overlap_hours": hours}
    who, data, acts = entry.actor, {"act": "none", "target": "log", **body}, {}
    if act is not None:
        who, key = act
        said = {**body, "overlap_hours": hours if signed_hours is None else signed_hours}
        claims = ActClaims(
            iss=who,
            aud=rotated.files.issuer,
            iat=int(entry.time.timestamp()),
            jti="an-act-of-the-thief",
            act=name,
            target="log",
            body_digest=digest_json(said),
        )
        acts = {claims.jti: ActFile(jws=sign_act(claims, key), body=canonical_json(said).decode())}
        data["act"] = claims.jti
    forged = encode_entry(entry.model_copy(update={"actor": who, "data": data}))
    files = rotated.signed([*rotated.files.entries[:index], forged], 0, 1)
    return dataclasses.replace(files, acts={**rotated.files.acts, **acts}, handovers=())


def _named_again(rotated: Rotated, replaces: int, key: int) -> LogFiles:
    """An administrator did sign it; and it does not follow from the entry before."""
    index = rotated.retired[0] + 1
    entry = decode_entry(rotated.files.entries[rotated.named[0]])
    body = _body(rotated, replaces, key)
    data = {**entry.data, **body, "act": "again"}
    entries = [
        *rotated.files.entries[:index],
        encode_entry(entry.model_copy(update={"data": data})),
    ]
    files = rotated.signed(entries, 1)
    return dataclasses.replace(files, handovers=rotated.files.handovers[:1])


def _body(rotated: Rotated, replaces: int, key: int) -> dict[str, str]:
    return {
        "key": rotated.signers[key].verifier.vkey,
        "replaces": rotated.signers[replaces].verifier.vkey,
    }


FORGERIES: dict[str, tuple[Forgery, str]] = {
    "new-key-before-its-entry": (new_key_before_its_entry, "head"),
    "new-key-without-handover": (new_key_without_handover, "head"),
    "second-handover-left-out": (second_handover_left_out, "head"),
    "handover-by-the-new-key-alone": (handover_by_the_new_key_alone, "head"),
    "handover-that-has-not-the-entry": (handover_that_has_not_the_entry, "head"),
    "past-rewritten-with-the-new-key": (past_rewritten_with_the_new_key, "log"),
    "retired-key-goes-on": (retired_key_goes_on, "head"),
    "named-by-nobody": (named_by_nobody, "act-missing"),
    "named-by-a-clerk": (named_by_a_clerk, "act-refusable"),
    "named-for-another-act": (named_for_another_act, "act-says-other"),
    "named-other-than-signed": (named_other_than_signed, "act-says-other"),
    "named-for-ever": (named_for_ever, "log-key"),
    "named-in-anothers-place": (named_in_anothers_place, "log-key"),
    "named-a-key-of-before": (named_a_key_of_before, "log-key"),
    "published-a-second-one": (published_a_second_one, "log-key"),
    "retired-too-early": (retired_too_early, "log-key"),
    "retired-the-only-one": (retired_the_only_one, "log-key"),
}


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_a_forgery_is_found_by_who_trusts_the_first_key_alone(rotated: Rotated, name: str) -> None:
    """I8, I6: whoever has which of the keys."""
    forge, said = FORGERIES[name]
    report = verify(rotated.trusting(0, forge(rotated)))
    assert said in names(report), report.troubles


def test_a_fork_after_the_rotation_is_found_by_a_kept_head(rotated: Rotated) -> None:
    """I8: two logs under the newest key, one past: either verifies, and not with the other's head."""
    other = [*rotated.files.entries, rotated.files.entries[-1]]
    forked = dataclasses.replace(rotated.signed(other, 2), kept_heads=())
    kept = rotated.head([*rotated.files.entries, rotated.files.entries[0]], 2)
    for seen in (rotated.files.head, kept):
        report = verify(rotated.trusting(0, dataclasses.replace(forked, kept_heads=(seen,))))
        assert ("log" in names(report)) is (seen is kept)


def test_the_first_key_vouches_for_nothing_after_it_was_retired(rotated: Rotated) -> None:
    """I8: a head that was kept, or is said to have been, counts while its key spoke for it."""
    late = rotated.head(rotated.files.entries, 0)
    report = verify(dataclasses.replace(rotated.trusting(2), kept_heads=(late,)))
    assert "head" in names(report)
