"""Admitting a case that was stopped, or is an alarm, as a person who looked at it does."""

from placet.client import OperatorClient
from placet.model import ActAnswer, AdmitCase


async def admit(
    admin: OperatorClient, case: str, reason: str, run_id: str | None = None
) -> ActAnswer:
    """Let a case go on as it is shown now, in another run if one is named."""
    seen = await admin.case(case)
    body = AdmitCase(reason=reason, run_id=run_id, trouble_digest=seen.trouble_digest)
    return await admin.act("case.admit", case, body)
