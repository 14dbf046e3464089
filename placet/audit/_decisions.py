"""A policy decision asked again: of the same policies, in the context that was kept (I3)."""

from decimal import Decimal

from placet.audit._scene import Scene, read_json
from placet.ledger import Entry
from placet.rules import Permitted, PolicyRequest, decide


def decided_again(scene: Scene, entry: Entry, *, permitted: bool) -> PolicyRequest | None:
    """Decide an entry's question again, and name what comes out otherwise.

    Returns:
        The question; ``None`` if it is not there to be asked.
    """
    scene.collector.count("policy decisions")
    data = entry.data
    loaded = scene.policies.get(str(data.get("policy_digest")))
    scene.there("policy", scene.policies, data.get("policy_digest"))
    content = scene.content("context", scene.files.kept, str(data.get("context_digest")))
    if content is None or loaded is None:
        return None
    salt = scene.files.kept[str(data.get("context_digest"))].salt
    try:
        question = PolicyRequest.model_validate({**read_json(content), "salt": salt})
    except (ValueError, TypeError) as error:
        scene.trouble("context", f"the kept context is no question: {error}")
        return None
    if (question.principal, question.action, question.record, _claimed(question)) != (
        entry.actor,
        data.get("action"),
        entry.record,
        data.get("amount"),
    ):
        scene.trouble("context-says-other", "the kept context is of another question")
    answer = decide(loaded, question)
    if isinstance(answer, Permitted) is not permitted:
        scene.trouble("policy-differs", "the policies decide otherwise when asked again")
    elif list(answer.policies) != data.get("policies"):
        scene.trouble("policy-reasons", "other policies decided than the ledger says")
    return question


def _claimed(question: PolicyRequest) -> str | None:
    """The amount that the agent claimed, as an entry spells it."""
    claim = question.context.get("claim")
    cents = claim.get("amount_cents") if isinstance(claim, dict) else None
    return f"{Decimal(cents) / 100:.2f}" if isinstance(cents, int) else None
