"""The reallocation of budgets as the command line knows it: with what its cases take along."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lender._service import Database, Failure
from lender.model import Moves
from lender.reallocations import read_moves
from lender.serve import LenderSettings
from lender.servicing import change_request, read_loan, request_reallocation
from placet.cli import load_settings
from placet.process import Attached
from workflows import budget_reallocation


def attach_moves(subject: str, file: Path) -> Attached:
    """Keep what is asked for in loan servicing, where it changes nothing yet: ``--moves FILE``.

    Raises:
        ValueError: no such loan, a number in use for other moves, or no document of moves.
    """

    def ask(database: Database, loan: str, number: str, moves: Moves) -> str:
        read_loan(database, loan)
        request_reallocation(database, loan, number, moves)
        return "1"

    return _put(subject, file, ask)


def attach_changed_moves(subject: str, file: Path) -> Attached:
    """Put other moves in place of those that people returned: ``--moves FILE``.

    Raises:
        ValueError: no such request, one that was done, or no document of moves.
    """
    return _put(subject, file, change_request)


def _put(subject: str, file: Path, put: Callable[[Database, str, str, Moves], str]) -> Attached:
    _, loan, _, number = subject.split("/")
    moves = read_moves(file)
    settings = load_settings(LenderSettings)
    kept = settings.folder / "loan-servicing.db"
    if settings.database_url is None and not kept.exists():
        raise ValueError(f"no loan servicing in {settings.folder}; set PLACET_LENDER_FOLDER")
    try:
        with settings.database("loan-servicing") as database:
            return Attached(subject, put(database, loan, number, moves))
    except Failure as error:
        raise ValueError(error.problem.error_description) from None


PROCESS = replace(
    budget_reallocation.PROCESS,
    attach={"moves": attach_moves},
    attach_again={"moves": attach_changed_moves},
)
"""The process with its ``--moves``."""
