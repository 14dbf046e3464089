"""``placet identity review …``: owners look at their identities again, campaign by campaign."""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated

import typer

from placet.cli._base import USAGE, AsJson, fail, failures, operator_client, run, show
from placet.cli._published import newest_matrix
from placet.client import AuthorityError, OperatorClient
from placet.model import (
    RECERTIFICATION,
    REVIEW_PROCESS,
    ActAnswer,
    AuthorityMatrix,
    CampaignItem,
    CampaignView,
    Candidate,
    IdentityId,
    Person,
    Risk,
    StartCampaign,
)

review = typer.Typer(
    help="Reviews: owners keep, narrow or end their identities, and silence suspends.",
    no_args_is_help=True,
)
Days = Annotated[int, typer.Option(min=0, max=9999, help="Whose review is due within so long.")]


@review.command()
def due(days: Days = 30, as_json: AsJson = False) -> None:
    """List whom a campaign should look at: by risk, then by date."""

    async def work() -> list[Candidate]:
        async with operator_client() as client:
            return await client.candidates(days)

    with failures():
        show(run(work()), as_json=as_json, columns=("identity", "owner", "risk", "review_by"))


@review.command()
def start(
    campaign: str,
    days: Days = 30,
    risk: Annotated[list[Risk] | None, typer.Option(help="Of this risk alone.")] = None,
    identity: Annotated[list[str] | None, typer.Option(help="These alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Start a campaign and open a case for each identity; run again, it opens what is missing."""

    async def work() -> tuple[CampaignView, tuple[str, ...]]:
        async with operator_client() as client:
            wanted = tuple(identity or ())
            if not wanted:
                found = await client.candidates(days)
                me = client.operator
                wanted = tuple(
                    each.identity
                    for each in found
                    if each.owner != me and (not risk or each.risk in risk)
                )
            begun = await begin_campaign(client, campaign, wanted)
            return begun, await _unheard(client, begun)

    with failures():
        found, warnings = run(work())
        for each in warnings:
            typer.echo(f"placet: warning: {each}", err=True)
        _show(found, as_json=as_json)


@review.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the newest campaigns, and how far each is."""

    async def work() -> list[CampaignView]:
        async with operator_client() as client:
            return await client.campaigns()

    with failures():
        found = run(work())
        if as_json or not found:
            show(found, as_json=as_json)
            return
        for each in found:
            seen = f", acknowledged by {each.acknowledged_by}" if each.acknowledged_by else ""
            typer.echo(f"{each.campaign}  {each.left} of {len(each.items)} wait{seen}")


@review.command("show")
def show_(campaign: str, as_json: AsJson = False) -> None:
    """Show how far a campaign is."""

    async def work() -> CampaignView:
        async with operator_client() as client:
            return await client.campaign(campaign)

    with failures():
        _show(run(work()), as_json=as_json)


@review.command()
def acknowledge(campaign: str, as_json: AsJson = False) -> None:
    """Sign that management has seen what came of a campaign (PCI DSS 7.2.5.1)."""

    async def work() -> ActAnswer:
        async with operator_client() as client:
            seen = await client.campaign(campaign)
            return await client.act("campaign.acknowledge", campaign, seen.counted())

    with failures():
        show(run(work()), as_json=as_json)


async def begin_campaign(
    client: OperatorClient, campaign: str, identities: Iterable[IdentityId]
) -> CampaignView:
    """Start a campaign if it is new, and open the cases that it has not yet.

    Several who do this at once, or one who is cut off and begins again, open each case once.

    Raises:
        AuthorityError: it is refused.
    """
    try:
        found = await client.campaign(campaign)
    except AuthorityError as error:
        if error.status != 404:
            raise
        wanted = tuple(identities)
        if not wanted:
            said = "no identity of another's is to be reviewed; see: placet identity review due"
            raise fail(said, USAGE) from None
        try:
            await client.act("campaign.start", campaign, StartCampaign(identities=wanted))
        except AuthorityError as refused:
            if refused.status != 409 or not await _is_there(client, campaign):
                raise
        found = await client.campaign(campaign)
    for item in found.items:
        if item.outcome is None:
            await _open(client, item)
    return await client.campaign(campaign)


async def _unheard(client: OperatorClient, campaign: CampaignView) -> tuple[str, ...]:
    """Whose word would be waited for in vain, each with what mends it."""
    owners = [each.owner for each in campaign.items if each.outcome is None]
    people = await client.identities("operator")
    roles = {str(each["principal"]): tuple(each["roles"]) for each in people}
    matrix = await newest_matrix(client, REVIEW_PROCESS)
    return tuple(
        f"{said}; placet operator roles {owner.partition(':')[2]} --role "
        f"{' --role '.join((*roles.get(owner, ()), *_asked(matrix)[:1]))}"
        for owner, said in unheard(owners, roles, matrix).items()
    )


def unheard(
    owners: Iterable[Person | None],
    roles: Mapping[Person, Collection[str]],
    matrix: AuthorityMatrix | None,
) -> dict[Person, str]:
    """Owners who have no role that a review asks for, each with what comes of it, in words."""
    asked = _asked(matrix)
    needs = " or ".join(asked)
    return {
        owner: f"{owner.partition(':')[2]} can't answer without the role {needs}, and silence "
        "suspends what they own"
        for owner in owners
        if owner is not None and asked and not set(asked) & set(roles.get(owner, ()))
    }


def _asked(matrix: AuthorityMatrix | None) -> tuple[str, ...]:
    rule = matrix.rule(RECERTIFICATION) if matrix else None
    needs = [need for tier in (rule.tiers if rule else ()) for need in tier.needs]
    return tuple(dict.fromkeys(role for need in needs for role in need.roles))


async def _is_there(client: OperatorClient, campaign: str) -> bool:
    try:
        await client.campaign(campaign)
    except AuthorityError:
        return False
    return True


async def _open(client: OperatorClient, item: CampaignItem) -> None:
    try:
        await client.open_case(REVIEW_PROCESS, item.subject)
    except AuthorityError as error:
        if error.status != 409 or "open case already" not in str(error):
            raise


def _show(found: CampaignView, *, as_json: bool) -> None:
    if as_json:
        show(found, as_json=True)
        return
    columns = ("number", "identity", "owner", "risk", "case", "outcome")
    show(list(found.items), as_json=False, columns=columns)
    typer.echo(f"{found.left} of {len(found.items)} wait for their owners")
