"""The page on the matrix shows one that is taken, and names every member."""

import re
from pathlib import Path

from placet.model import AuthorityMatrix, CheckpointRule

PAGE = (Path(__file__).parents[2] / "docs/reference/matrix.md").read_text()


def test_the_example_is_a_matrix() -> None:
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    matrix = AuthorityMatrix.model_validate_json(found[1])
    assert matrix.rules[0].not_again is not None


def test_every_member_is_named() -> None:
    for member in (*AuthorityMatrix.model_fields, *CheckpointRule.model_fields):
        assert f"`{member}`" in PAGE, member
