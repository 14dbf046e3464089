"""Which results a case may close with: what the record shows, not what the workflow says."""

from collections.abc import Collection, Mapping

from placet.model import CheckpointStatus, ProcessDefinition
from placet.rules._errors import UnsupportedResult


def require_supported(
    definition: ProcessDefinition,
    result: str,
    settled: Collection[str],
    ends: Mapping[str, CheckpointStatus],
) -> None:
    """Hold the result that a case would close with against its record.

    Args:
        definition: the signed process version of the case.
        result: what it would close with.
        settled: the names of the parts that were settled in the case.
        ends: how the newest checkpoint of each name stands.

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
    if found.ends and not any(ends.get(end.checkpoint) is end.status for end in found.ends):
        needed = " or ".join(f"{end.checkpoint} {end.status}" for end in found.ends)
        raise UnsupportedResult(f"{result} needs {needed}, and no checkpoint ended so")
