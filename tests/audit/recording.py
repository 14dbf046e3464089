"""A log recorded from the real parts, and how a forger would change its files."""

import asyncio
import dataclasses
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio import activity
from temporalio.worker import Worker

from placet.agent import current_grant, governed
from placet.audit import Kept, LogFiles, Report, write_bundle
from placet.authority import AuthoritySettings, SigningKeys, Store, load_signing_keys
from placet.cli._fetch import fetch_case, fetch_decisions, fetch_log
from placet.client import AuthorityError
from placet.ledger import (
    Checkpoint,
    NoteSigner,
    leaf_hash,
    log_verifier,
    root_hash,
    run_root,
    seal_runs,
    sign_checkpoint,
)
from placet.model import Hold, Mode, PartRef, Reason, Verdict, canonical_json, digest_json
from placet.process import StepRequest
from placet.tokens import SigningKey
from tests.harness import other_parcels, parcel_work
from tests.harness.processes import matrix
from tests.harness.world import PASSPHRASE, World, temporal_server, until, world

History = dict[str, Any]
Entry = dict[str, Any]
LARGE, LIGHT = "depot/D1/parcel/8", "depot/D1/parcel/4"
HOSTILE = "\x1b[2Jcleared\r\n[red]all is [link=http://evil.test]well[/link]\u202e \x9b31m"
"""What an agent may say to harm the terminal of who reads it."""


@dataclasses.dataclass(frozen=True, repr=False)
class Recorded:
    """The log's files, and the cases in them by what became of them."""

    files: LogFiles
    dispatched: str
    large: str
    rejected: str
    skipping: str
    held: str
    automatic: str
    exported: bytes
    decisions: LogFiles
    signer: NoteSigner
    keys: dict[str, SigningKey]
    """Of people, by their names."""

    def __repr__(self) -> str:
        """Short: the whole log would hide why a test has failed."""
        return f"<a recorded log of {len(self.files.entries)} entries>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - IPython's protocol
        """The same for Hypothesis, which shows a dataclass by its fields whatever its repr says."""
        printer.text(repr(self))


@activity.defn(name="weigh")
@governed(action="parcel:weigh", system="authority")
async def weigh_at_the_second_try(request: StepRequest) -> PartRef:
    """A scale that fails once."""
    if activity.info().attempt == 1:
        current_grant().reason(HOSTILE)
        raise RuntimeError("the scale is not level")
    return await parcel_work.weigh(request)


def record(folder: Path) -> Recorded:
    """Run the cases: small; large (two people, a refused decision, a wait); rejected after a step
    was tried twice; on hold; without people; and one whose workflow skips the people."""
    return asyncio.run(_record(folder))


async def _record(folder: Path) -> Recorded:
    async with temporal_server() as temporal, world(temporal, folder) as w:
        parcel_work.VALUES |= {LARGE: Decimal("500.00"), LIGHT: Decimal("40.00")}
        parcel_work.INSPECTORS |= {LARGE: "C. Weir, County Scales"}
        try:
            return await _cases(w)
        finally:
            del parcel_work.VALUES[LARGE], parcel_work.VALUES[LIGHT], parcel_work.INSPECTORS[LARGE]


async def _cases(w: World) -> Recorded:
    async with w.workers(workflows=(other_parcels.SkippingCheck,)):
        skipping = await w.open("depot/D1/parcel/5")
        await until(lambda: w.entries("grant.denied"))
    others = ("orchestrator", "second-scale", "carrier")
    async with w.workers(only=others):
        rejected = await w.open("depot/D1/parcel/9")
        async with Worker(
            await w.agent_client("scale"), task_queue="scale", activities=[weigh_at_the_second_try]
        ):
            await w.until_checkpoint(rejected)
    async with w.workers():
        held = await w.open("depot/D1/parcel/6")
        await w.until_checkpoint(held)
        await w.admin.act("hold.place", "depot/D1/parcel/6", Hold(reason="the sender asked"))
        await _decide(w, held, "cleo", "80.00")  # approved, but policy lets nothing go on hold
        small, large = [await w.open(f"depot/D1/parcel/{number}") for number in (7, 8)]
        await w.admin.act("hold.place", "depot/D1/parcel/7", Hold(reason="to be looked at"))
        await w.admin.act("hold.lift", "depot/D1/parcel/7", Reason(reason="looked at"))
        await _decide(w, small, "cleo", "80.00")
        await _decide(w, rejected, "cid", None)
        asked = await w.until_checkpoint(large)
        await w.people["una"].comment(asked.id, "who weighed this?")
        await w.people["una"].attach(asked.id, "scale.txt", b"calibrated in May", "text/plain")
        await _decide(w, large, "cleo", "500.00")
        try:
            await _decide(w, large, "cleo", "500.00")  # the same person twice: refused
        except AuthorityError:
            pass
        await until(lambda: _waits(w, large))
        await _decide(w, large, "hal", "500.00")
        await w.until_archived(large)
        await w.admin.act("matrix.publish", "parcel-check", matrix(2, Mode.AUTOMATIC))
        automatic = await w.open(LIGHT)
        for case in (small, rejected, held, automatic):
            await w.until_archived(case)
    await until(lambda: no_grant_is_live(w))
    files = await fetch_log(w.people["una"])
    size = len(files.entries)
    return Recorded(
        trusting(files),
        small,
        large,
        rejected,
        skipping,
        held,
        automatic,
        write_bundle(await fetch_case(w.people["una"], large, size), large),
        await fetch_decisions(w.people["una"], None),
        await log_signer(w.settings),
        {"ada": w.admin_key, **w.keys},
    )


async def log_signer(settings: AuthoritySettings) -> NoteSigner:
    """The newest key of the log's heads, as who has database and passphrase has it."""
    keys = SigningKeys(PASSPHRASE)
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        await load_signing_keys(store, keys)
    return NoteSigner(settings.origin, keys.head_key())


async def _decide(w: World, case: str, by: str, amount: str | None) -> None:
    checkpoint = await w.until_checkpoint(case)
    if amount is None:
        await w.people[by].decide(checkpoint, Verdict.REJECT, reason_code="damaged")
    else:
        await w.people[by].decide(checkpoint, Verdict.APPROVE, amount=Decimal(amount))


async def _waits(w: World, case: str) -> bool:
    """Whether the workflow has set its timer."""
    history = await w.temporal.get_workflow_handle(case).fetch_history()
    return any(each.HasField("timer_started_event_attributes") for each in history.events)


async def no_grant_is_live(w: World) -> bool:
    """Whether every grant has ended, and a signed head covers everything."""
    entries = await w.entries()
    issued = {each["data"]["grant"] for each in entries if each["type"] == "grant.issued"}
    ended = {
        each["data"]["grant"]
        for each in entries
        if each["type"] in {"grant.settled", "grant.revoked", "grant.expired"}
    }
    head = await w.people["una"].head()
    return issued == ended and head is not None and f"\n{len(entries)}\n" in head


def trusting(files: LogFiles) -> LogFiles:
    """The files, with the log's own key and administrators as an auditor would have got them."""
    entries = [json.loads(each) for each in files.entries]
    created = entries[0]["data"]["administrators"]
    heads = next(
        each["data"]["jwk"]
        for each in entries
        if each["type"] == "key.published" and each["data"]["purpose"] == "heads"
    )
    return dataclasses.replace(
        files,
        archives=dict(files.archives),
        trusted_log_key=log_verifier(files.origin, heads).vkey,
        trusted_administrators=tuple(created.values()),
    )


# --- forging --------------------------------------------------------------------------------


def resigned(files: LogFiles, entries: list[bytes]) -> LogFiles:
    """The log as the owner of its key would make it anew: other entries, and a head that fits.

    The key is the forger's own, and trusted here: what is found then is found without the tree.
    """
    signer = NoteSigner(files.origin, Ed25519PrivateKey.generate())
    head = Checkpoint(
        origin=files.origin,
        size=len(entries),
        root=root_hash([leaf_hash(each) for each in entries]),
    )
    return dataclasses.replace(
        files,
        entries=tuple(entries),
        head=sign_checkpoint(head, [signer]),
        trusted_log_key=signer.verifier.vkey,
    )


def changed_entry(files: LogFiles, index: int, change: Callable[[Entry], object]) -> LogFiles:
    """The log made anew with one entry changed."""
    entries = list(files.entries)
    entry = json.loads(entries[index])
    change(entry)
    entries[index] = canonical_json(entry)
    return resigned(files, entries)


def put(**data: Any) -> Callable[[Entry], None]:
    """A change of an entry: other data."""
    return lambda entry: entry["data"].update(data)


def names(report: Report) -> set[tuple[str, str]]:
    """What does not hold, by its name and place."""
    return {(each.name, each.place) for each in report.troubles}


def find(files: LogFiles, type_: str, case: str | None = None, **data: Any) -> int:
    """The first entry of a type, of a case, with this data."""
    for index, each in enumerate(files.entries):
        entry = json.loads(each)
        if (
            entry["type"] == type_
            and case in {None, entry.get("case")}
            and data.items() <= entry["data"].items()
        ):
            return index
    raise AssertionError(f"no {type_} in the log")


def put_kept(files: LogFiles, content: str, other: str) -> LogFiles:
    """Other words in the place of those kept beside the ledger, under the same digest and salt."""
    kept = {
        digest: Kept(salt=each.salt, content=other) if each.content == content else each
        for digest, each in files.kept.items()
    }
    assert kept != files.kept
    return dataclasses.replace(files, kept=kept)


def renumber(history: History) -> None:
    """Number a forged history's events anew, and mend what refers to them."""
    numbers = {each["eventId"]: str(number) for number, each in enumerate(history["events"], 1)}
    for event in history["events"]:
        event["eventId"] = numbers[event["eventId"]]
        for attributes in event.values():
            if isinstance(attributes, dict):
                for name in attributes:
                    if name.endswith("EventId"):
                        attributes[name] = numbers.get(attributes[name], attributes[name])


def history_of(files: LogFiles, case: str) -> History:
    """A case's only run, as Temporal's JSON."""
    (run,) = files.archives[case].runs
    history: History = json.loads(run.history)
    return history


def forged_history(
    files: LogFiles, case: str, change: Callable[[History], object], *, seal: bool = False
) -> LogFiles:
    """The files with a case's archived history changed; ``seal``: and the ledger's seal with it."""
    history = history_of(files, case)
    change(history)
    text = json.dumps(history, indent=2, sort_keys=True)  # as the authority keeps it
    return with_history(files, case, text, seal=seal)


def with_history(files: LogFiles, case: str, text: str, *, seal: bool = False) -> LogFiles:
    """The files with another text in the place of a case's only run."""
    archive = files.archives[case]
    (run,) = archive.runs
    runs = (run.model_copy(update={"history": text}),)
    forged = archive.model_copy(update={"runs": runs})
    if seal:
        forged = forged.model_copy(update={"seal": seal_runs(runs, archive.salt or "")})
    files = dataclasses.replace(files, archives={**files.archives, case: forged})
    return resealed(files, case) if seal else files


def resealed(files: LogFiles, case: str) -> LogFiles:
    """The log made anew with the seal, and every prefix, of the history that is there."""
    archive = files.archives[case]
    roots = {each.run_id: each for each in archive.seal.runs}
    entries = list(files.entries)
    for index, data in enumerate(entries):
        entry = json.loads(data)
        if entry.get("case") != case:
            continue
        if entry["type"] == "case.archived":
            entry["data"]["seal_digest"] = digest_json(archive.seal)
            entry["data"]["runs"] = [run_root(e).model_dump(mode="json") for e in roots.values()]
        elif "history" in entry["data"]:
            told = entry["data"]["history"]
            events = min(told["events"], len(roots[told["run_id"]].events))
            root = run_root(roots[told["run_id"]], events)
            entry["data"]["history"] = root.model_dump(mode="json")
        entries[index] = canonical_json(entry)
    return resigned(files, entries)
