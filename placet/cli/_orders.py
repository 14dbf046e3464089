"""``placet identity rotate|offboard|orders``: others' identities, by their owners' own tools."""

from placet.cli._base import AsJson, fail, failures, operator_client, run, show
from placet.cli._identities import Why
from placet.cli._named import identity_id
from placet.client import AuthorityError, OperatorClient
from placet.model import Goal, IdentityId, Order, OrderIdentity

_COLUMNS = ("order", "goal", "ordered_by", "ordered_at", "case", "tries", "proof")


def rotate(identity: str, reason: Why, as_json: AsJson = False) -> None:
    """Have the tool of its owner rotate one that others own; a case opens, and keeps the proof."""
    _order(identity, Goal.ROTATE, reason, as_json=as_json)


def offboard(identity: str, reason: Why, as_json: AsJson = False) -> None:
    """Have the tool of its owner offboard one that others own, once a person has confirmed it."""
    _order(identity, Goal.OFFBOARD, reason, as_json=as_json)


def orders(identity: str, as_json: AsJson = False) -> None:
    """List what was ordered about one, the newest first, with what its owner's tool has proven."""

    async def work() -> list[Order]:
        async with operator_client() as client:
            return await client.orders(identity_id(identity))

    with failures():
        show(run(work()), as_json=as_json, columns=_COLUMNS)


def _order(identity: str, goal: Goal, reason: str, *, as_json: bool) -> None:
    async def work() -> Order:
        async with operator_client() as client:
            return await order(client, identity_id(identity), goal, reason)

    with failures():
        show(run(work()), as_json=as_json)


async def order(client: OperatorClient, identity: IdentityId, goal: Goal, reason: str) -> Order:
    """Order it, and open the case that does it; cut off and begun again, it is ordered once.

    Raises:
        AuthorityError: it is refused.
    """
    try:
        await client.act("identity.order", identity, OrderIdentity(goal=goal, reason=reason))
    except AuthorityError as error:
        if "ordered" not in error.problem.reasons:
            raise
    newest = (await client.orders(identity))[0]
    if newest.goal is not goal:
        raise fail(f"{newest.order} goes on, to {newest.goal} it; see its case", 1)
    try:
        opened = await client.open_case(goal.process, newest.subject)
    except AuthorityError as error:
        if error.status != 409 or "open case already" not in str(error):
            raise
        return newest
    return newest.model_copy(update={"case": opened.case})
