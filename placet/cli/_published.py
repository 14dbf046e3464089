"""What is in force of a process, as the authority has it."""

from placet.client import OperatorClient
from placet.model import AuthorityMatrix


async def newest_matrix(client: OperatorClient, process: str) -> AuthorityMatrix | None:
    """The authority matrix in force of a process, if one is published.

    Raises:
        AuthorityError: it is refused.
    """
    published = await client.get("/v1/published")
    matrices = [AuthorityMatrix.model_validate_json(each) for each in published["matrices"]]
    ours = [each for each in matrices if each.process == process]
    return max(ours, key=lambda each: each.version, default=None)
