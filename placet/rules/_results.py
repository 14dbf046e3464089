"""Which results a case may close with: what the record shows, not what the workflow says."""

from collections.abc import Collection

from placet.model import CheckpointEnd, ProcessDefinition
from placet.rules._errors import UnsupportedResult


def require_supported(
    definition: ProcessDefinition,
    result: str,
    settled: Collection[str],
    stand: Collection[CheckpointEnd],
    denied: Collection[str],
) -> None:
    """Hold the result that a case would close with against its record.

    Args:
        definition: the signed process version of the case.
        result: what it would close with.
        settled: the names of the parts that were settled in the case.
        stand: how the newest checkpoint of each name stands.
        denied: the reasons for which steps of the case were denied.

    Raises:
        UnsupportedResult: the process has no such result, or the record does not show it.
    """
    found = definition.result(result)
    if found is None:
        raise UnsupportedResult(f"the process has no result {result}")
    if found.part is not None and found.part not in settled:
        raise UnsupportedResult(f"{result} needs a settled {found.part}, and there is none")
    done = sorted(set(found.without) & set(settled))
    if done:
        raise UnsupportedResult(f"the case has settled a {done[0]}: it is not {result}")
    if found.ends and not any(_is(each, end) for end in found.ends for each in stand):
        needed = " or ".join(map(_told, found.ends))
        raise UnsupportedResult(f"{result} needs {needed}, and no checkpoint ended so")
    if found.denied_for is not None and found.denied_for not in denied:
        raise UnsupportedResult(
            f"{result} needs a denial for {found.denied_for}, and there is none"
        )


def _is(stands: CheckpointEnd, end: CheckpointEnd) -> bool:
    return (stands.checkpoint, stands.status) == (end.checkpoint, end.status) and (
        end.amount is None or stands.amount == end.amount
    )


def _told(end: CheckpointEnd) -> str:
    amount = "" if end.amount is None else f" for {end.amount}"
    return f"{end.checkpoint} {end.status}{amount}"
