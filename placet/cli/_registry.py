"""``placet identity …``: the registry of non-human identities."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from placet.cli._base import USAGE, AsJson, fail, failures, operator_client, read_text, run, show
from placet.cli._identities import Why
from placet.cli._inventories import BadInventory, read_inventory
from placet.cli._named import identity_id
from placet.cli._orders import offboard, orders, rotate
from placet.cli._reviews import review
from placet.model import (
    ActAnswer,
    CredentialKind,
    IdentityKind,
    IdentityReport,
    IdentityStanding,
    LeftBehind,
    Reason,
    RegisteredView,
    RegisterIdentity,
    ReportLine,
    SwitchOff,
    VendorView,
)

identity = typer.Typer(
    help="Non-human identities: what each is for, whose it is, and until when.",
    no_args_is_help=True,
)
identity.add_typer(review, name="review")
identity.command()(rotate)
identity.command()(offboard)
identity.command("orders")(orders)
vendor = typer.Typer(help="Third parties that run identities.", no_args_is_help=True)
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="A day, UTC.")]


@identity.command("list")
def list_(
    kind: Annotated[IdentityKind | None, typer.Option(help="Of one kind alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """List them, with what keeps one from getting a grant."""

    async def work() -> list[RegisteredView]:
        async with operator_client() as client:
            return await client.registry(kind)

    with failures():
        columns = ("identity", "kind", "status", "owner", "environment", "ends_at", "lacks")
        show(run(work()), as_json=as_json, columns=columns)


@identity.command("show")
def show_(identity: str, as_json: AsJson = False) -> None:
    """Show one, with its keys."""

    async def work() -> RegisteredView:
        async with operator_client() as client:
            return await client.registered(identity_id(identity))

    with failures():
        show(run(work()), as_json=as_json)


@identity.command()
def standing(identity: str, as_json: AsJson = False) -> None:
    """Show what holds one back, the limits that it is held to, and its reviews."""

    async def work() -> IdentityStanding:
        async with operator_client() as client:
            return await client.standing(identity_id(identity))

    with failures():
        show(run(work()), as_json=as_json)


@identity.command()
def register(
    identity: str,
    purpose: Annotated[str, typer.Option(help="What it is for.")],
    environment: Annotated[str, typer.Option(help="The environment that it serves.")],
    review_by: Day,
    ends: Day,
    owner: Annotated[str | None, typer.Option(help="Who owns it; nobody: no grant.")] = None,
    deputy: Annotated[str | None, typer.Option(help="Who follows an owner that leaves.")] = None,
    process: Annotated[str | None, typer.Option(help="The process that it serves.")] = None,
    credential: Annotated[
        CredentialKind, typer.Option(help="What it proves itself with.")
    ] = CredentialKind.KEY,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The credential's day, if others'")
    ] = None,
    vendor: Annotated[str | None, typer.Option(help="The third party that runs it.")] = None,
    runs_on: Annotated[
        list[str] | None, typer.Option(help="A task queue or host where it may run.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say all that is known of one from now on (administrators); it may not be enrolled yet."""

    async def work() -> ActAnswer:
        body = RegisterIdentity(
            owner=f"operator:{owner}" if owner else None,
            deputy=f"operator:{deputy}" if deputy else None,
            purpose=purpose,
            process=process,
            environment=environment,
            credential=credential,
            credential_since=None if since is None else since.replace(tzinfo=UTC),
            vendor=vendor,
            runs_on=tuple(runs_on or ()),
            review_by=review_by.replace(tzinfo=UTC),
            ends_at=ends.replace(tzinfo=UTC),
        )
        async with operator_client() as client:
            return await client.act("identity.register", identity, body)

    with failures():
        show(run(work()), as_json=as_json)


@identity.command()
def end(identity: str, reason: Why, as_json: AsJson = False) -> None:
    """End one now, ours or others': no new grant from that instant, and its live ones end."""

    async def work() -> ActAnswer:
        async with operator_client() as client:
            return await client.act("identity.end", identity_id(identity), Reason(reason=reason))

    with failures():
        show(run(work()), as_json=as_json)


@identity.command()
def report(
    which: Annotated[
        IdentityReport | None, typer.Argument(help="One of them; else all, one after the other.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which identities are stale, unowned, …, and the command that mends each."""

    async def work() -> list[ReportLine]:
        async with operator_client() as client:
            reports = tuple(IdentityReport) if which is None else (which,)
            return [line for each in reports for line in await client.identity_report(each)]

    with failures():
        columns = ("report", "identity", "owner", "why", "mend")
        show(run(work()), as_json=as_json, columns=columns)


@identity.command("import")
def import_(
    file: Path,
    source: Annotated[str, typer.Option(help="What the inventory is called, as: aws-prod.")],
    environment: Annotated[
        str | None, typer.Option(help="For rows that name none, as in AWS's report.")
    ] = None,
    review_by: Annotated[str | None, typer.Option(help="For rows that name none: a day.")] = None,
    ends: Annotated[str | None, typer.Option(help="For rows that name none: a day.")] = None,
    owner: Annotated[str | None, typer.Option(help="For rows that name none.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take in an inventory of others' identities: CSV, JSON, or AWS IAM's credential report.

    Bad rows are named, and the good ones taken in; exit status 1 if there were bad ones.
    """
    told = {"environment": environment, "review_by": review_by, "ends_at": ends, "owner": owner}
    defaults = {
        "purpose": f"imported from {source}",
        **{name: value for name, value in told.items() if value is not None},
    }

    async def work() -> dict[str, object]:
        async with operator_client() as client:
            known = await client.identities("operator")
            people = frozenset(str(e["principal"]) for e in known if e["status"] == "active")
            found = read_inventory(text, defaults, people)
            rows = list(found.rows.values())
            new, changed = await client.import_identities(source, rows)
            gone = sorted(set(await client.inventory(source)) - found.rows.keys()) if rows else []
            return {
                "rows": len(rows),
                "new": new,
                "changed": changed,
                "unowned": sum(row.said.owner is None for row in rows),
                "gone": gone,
                "bad": [f"row {number}: {why}" for number, why in found.bad],
            }

    with failures():
        text = read_text(file)
        try:
            done = run(work())
        except BadInventory as error:
            raise fail(f"{file}: {error}", 1) from None
        show(done, as_json=as_json)
        if done["bad"]:
            raise fail("the rows under bad were left out; all others are in", 1)


@identity.command()
def left(identity: str, as_json: AsJson = False) -> None:
    """Say what an identity leaves behind; exit status 1 if its offboarding is not complete."""

    async def work() -> LeftBehind:
        async with operator_client() as client:
            return await client.left_behind(identity_id(identity))

    with failures():
        found = run(work())
        show({**found.model_dump(mode="json"), "complete": found.complete}, as_json=as_json)
        if not found.complete:
            raise fail(f"{identity} is not offboarded completely; the list says what is left", 1)


@vendor.command("show")
def show_vendor(name: str, as_json: AsJson = False) -> None:
    """Say what switching off a third party would stop now: identities, cases, payments."""

    async def work() -> VendorView:
        async with operator_client() as client:
            return await client.vendor(name)

    with failures():
        show(run(work()), as_json=as_json)


@vendor.command("off")
def switch_off(
    name: str,
    reason: Why,
    yes: Annotated[bool, typer.Option("--yes", help="Ask no more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Switch off all identities of a third party, after showing what that stops."""

    async def look() -> VendorView:
        async with operator_client() as client:
            return await client.vendor(name)

    async def work(seen: VendorView) -> ActAnswer:
        async with operator_client() as client:
            body = SwitchOff(identities=seen.identities, reason=reason)
            return await client.act("vendor.off", name, body)

    with failures():
        seen = run(look())
        if not seen.identities:
            raise fail(f"no identity of {name} works", 1)
        if not yes:
            show(seen, as_json=as_json)
            raise fail("nothing was switched off; say --yes when you have read this", USAGE)
        done = run(work(seen))
        while (rest := run(look())).identities:  # an act names 400 of them at most
            done = run(work(rest))
        show(done, as_json=as_json)
