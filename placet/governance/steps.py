"""What the reviewing agent does: it fetches what an owner is shown, and has their word carried out.

It decides nothing: what the identity is, may do and did is the authority's word, and so is what the
owner has signed.
"""

from temporalio import activity

from placet.agent import current_grant, governed, read_answer
from placet.governance._requests import ReviewEnd
from placet.model import CarriedOut, Part, PartRef
from placet.process import StepRequest


@activity.defn(name="look_at_identity")
@governed(action="identity:look", system="authority")
async def look_at_identity(request: StepRequest) -> PartRef:
    """Fetch what the owner is shown."""
    answer = await current_grant().request("GET", f"/v1/cases/{request.case}/review")
    return current_grant().keep_part(read_answer(answer, Part))


@activity.defn(name="carry_out_review")
@governed(action="identity:carry-out", system="authority")
async def carry_out_review(request: StepRequest) -> ReviewEnd:
    """Have the authority carry out what the owner said, or that they were silent."""
    answer = await current_grant().request("POST", f"/v1/cases/{request.case}/review-outcome")
    done = read_answer(answer, CarriedOut)
    return ReviewEnd(part=current_grant().keep("carried_out", done), outcome=done.outcome)


ACTIVITIES = (look_at_identity, carry_out_review)
"""The activities of the agent ``identity-reviewer``."""
