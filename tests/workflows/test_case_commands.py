"""``placet case …`` with wrong input: one clear line, an exit code, and nothing half-written (I12)."""

import shutil
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from lender.ports import free_ports
from placet.client import AuthorityError
from tests.workflows.desk import Desk, Said, open_desk

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODY = f"case-{'0' * 26}"
REFUSED, USAGE, AWAY = 1, 2, 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """The lender's people, and no agent at work: a case stays as it was opened."""
    async with open_desk(tmp_path_factory.mktemp("desk"), workers=False) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def packet(desk: Desk) -> Path:
    """A packet's folder; its loan has an open case already."""
    loan = desk.take_in_loan()
    assert loan.loan_id == "L-3001"
    await desk.ended(await desk.open(loan), "open")  # from here on the ledger is at rest
    desk.take_in_loan()  # L-3002, with no case
    (desk.folder / "empty").mkdir()
    return desk.packet(loan, "another")


def judge(said: Said, code: int, why: str) -> None:
    """One line on standard error, and none of Python's."""
    assert (said.code, why in said.err) == (code, True), said
    assert said.out == ""
    assert said.err.startswith("placet: ")
    assert said.err.count("\n") == 1


async def test_an_answer_says_when_it_was_made(desk: Desk) -> None:
    """RFC 9110 section 6.6.1: whoever is refused can tell that it is their own clock that is wrong."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{desk.made.issuer}/v1/cases")
    assert answer.status_code == 401
    assert parsedate_to_datetime(answer.headers["Date"]).tzinfo is not None


LOAN_DRAW = ("--process", "loan-draw")
OPEN = {
    "unknown-loan": ("--loan L-9 --draw 1 --packet {packet}", USAGE, "there is no such loan"),
    "no-packet": ("--loan L-3002 --draw 1", USAGE, "give --packet"),
    "missing-folder": ("--loan L-3002 --draw 1 --packet {folder}/no", USAGE, "no such folder"),
    "a-file": ("--loan L-3002 --draw 1 --packet {packet}/pay-application.xlsx", USAGE, "folder"),
    "empty-folder": ("--loan L-3002 --draw 1 --packet {folder}/empty", USAGE, "is empty"),
    "not-a-number": ("--loan L-3002 --draw one --packet {packet}", USAGE, "a number from 1 on"),
    "zero": ("--loan L-3002 --draw 0 --packet {packet}", USAGE, "a number from 1 on"),
    "no-record": (
        "--loan ../L-3002 --draw 1 --packet {packet}",
        USAGE,
        "--loan: '../L-3002' is no",
    ),
    "markup": ("--loan [b]L-3002 --draw 1", USAGE, "--loan: '[b]L-3002' is no part"),
    "no-draw": ("--loan L-3002 --packet {packet}", USAGE, "give --draw"),
    "no-value": ("--loan L-3002 --draw", USAGE, "--name value"),
    "given-twice": ("--loan L-3002 --loan L-3001 --draw 1", USAGE, "--loan is given twice"),
    "unknown-option": ("--loan L-3002 --draw 1 --folder {packet}", USAGE, "no option --folder"),
    "unknown-process": ("--process loan-pay --loan L-3002 --draw 1", USAGE, "there is no process"),
    "open-already": ("--loan L-3001 --draw 1 --packet {packet}", REFUSED, "has an open case"),
}


@pytest.mark.parametrize(
    "subject", ["loan/L-9/draw/1", "loan/L-3002/draw/one", "loan/L-3001/draw/01"]
)
async def test_the_authority_itself_opens_no_case_on_what_is_not_there(
    desk: Desk, packet: Path, subject: str
) -> None:
    """I2: whatever a client has looked at, or not."""
    before = await desk.state()
    with pytest.raises(AuthorityError, match=subject):
        await desk.people["dana"].open_case("loan-draw", subject)
    assert await desk.state() == before


@pytest.mark.parametrize("name", OPEN)
async def test_a_case_that_can_not_be_opened_leaves_nothing(
    desk: Desk, packet: Path, name: str
) -> None:
    """I12: neither a case nor a version of the packet."""
    arguments, code, why = OPEN[name]
    before = await desk.state()
    named = "" if "--process" in arguments else "--process loan-draw "
    given = (named + arguments).format(packet=packet, folder=desk.folder).split()
    judge(await desk.command("dana", "case", "open", *given), code, why)
    assert await desk.state() == before


OTHERS = {
    "resubmit-unknown-case": (f"resubmit {NOBODY} --packet {{packet}}", REFUSED, "no such case"),
    "resubmit-no-case-id": ("resubmit 7 --packet {packet}", USAGE, "'7' is no case's id"),
    "resubmit-nothing-returned": ("resubmit {case} --packet {packet}", REFUSED, "no checkpoint"),
    "resubmit-nothing": ("resubmit {case}", USAGE, "give one of --packet"),
    "resubmit-unknown-option": ("resubmit {case} --loan L-3001", USAGE, "no option --loan"),
    "show-unknown": (f"show {NOBODY}", REFUSED, "there is no such case"),
    "show-no-id": ("show x/../y", USAGE, "is no case's id"),
    "admit-no-id": ("admit .. --reason why", USAGE, "is no case's id"),
    "end-no-id": ("end .. --reason why", USAGE, "is no case's id"),
    "end-by-a-clerk": ("end {case} --reason why", REFUSED, "needs the role administrator"),
    "end-unknown": (f"end {NOBODY} --reason why", REFUSED, "needs the role administrator"),
    "hold-no-record": ("hold L-3001 --reason why", USAGE, "'L-3001' is no record"),
    "lift-not-held": ("lift loan/L-3001 --reason why", REFUSED, "is not on hold"),
    "admit-by-a-clerk": ("admit {case} --reason why", REFUSED, "needs the role administrator"),
    "admit-unknown": (f"admit {NOBODY} --reason why", REFUSED, "there is no such case"),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_another_command_with_wrong_input_changes_nothing(
    desk: Desk, packet: Path, name: str
) -> None:
    """I12: a refused act may be on the ledger, and nothing else is anywhere."""
    arguments, code, why = OTHERS[name]
    (case,) = await desk.people["una"].cases()
    stored, _, cases = await desk.state()
    given = arguments.format(packet=packet, case=case.id).split()
    judge(await desk.command("dana", "case", *given), code, why)
    after = await desk.state()
    assert (after[0], after[2]) == (stored, cases)


@pytest.mark.parametrize(
    "command", ["open --process loan-draw --loan L-3002 --draw 1", "resubmit {case}"]
)
async def test_another_persons_role_uploads_nothing(desk: Desk, packet: Path, command: str) -> None:
    """I6: refused before anything is put into document storage."""
    (case,) = await desk.people["una"].cases()
    before = await desk.state()
    given = [*command.format(case=case.id).split(), "--packet", str(packet)]
    said = await desk.command("omar", "case", *given)
    judge(said, REFUSED, "needs the role draw-administrator")
    assert await desk.state() == before


@pytest.mark.parametrize("name", ["away", "passphrase", "missing", "mode", "nobody", "storage"])
async def test_a_person_who_can_not_sign_or_reach_anyone_writes_nothing(
    desk: Desk, packet: Path, tmp_path: Path, name: str
) -> None:
    """I12: authority down, wrong passphrase, a key file missing, readable by others, not named."""
    key = desk.made.folder / "people" / "dana.key"
    readable = Path(shutil.copy(key, tmp_path / "readable.key"))
    readable.chmod(0o644)
    (port,) = free_ports(1)
    settings, code, why = {
        "away": ({"PLACET_ISSUER": f"http://127.0.0.1:{port}"}, AWAY, "does not answer"),
        "passphrase": ({"PLACET_PASSPHRASE": "wrong"}, AWAY, "passphrase is wrong"),
        "missing": ({"PLACET_KEY_FILE": str(tmp_path / "no.key")}, AWAY, "can't be read"),
        "mode": ({"PLACET_KEY_FILE": str(readable)}, AWAY, "chmod 600"),
        "nobody": ({"PLACET_OPERATOR": None}, USAGE, "PLACET_OPERATOR"),
        "storage": ({"PLACET_LENDER_FOLDER": str(tmp_path / "no")}, USAGE, "no document storage"),
    }[name]
    before = await desk.state()
    given = ("case", "open", *LOAN_DRAW, "--loan", "L-3002", "--draw", "1", "--packet", str(packet))
    judge(await desk.command("dana", *given, env=settings), code, why)
    assert await desk.state() == before
    assert not (tmp_path / "no").exists()
