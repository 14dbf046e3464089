"""The lender's own commands, ``loan`` and ``packet``, and what a draw's case takes along."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape

from activities.loan_file import LoanFileError, check_folder, load_loan_file
from lender import storage
from lender._service import Failure
from lender.demo import Books
from lender.model import Analysis, CameBack, CoverNotice, InsuranceKind, Lien, LoanFile
from lender.papers import deficiency_letter, worksheet
from lender.sample_folder import write_samples
from lender.serve import LenderSettings
from lender.servicing import note, read_loan
from placet.cli import (
    REFUSED,
    USAGE,
    console,
    fail,
    failures,
    load_settings,
    show,
)
from placet.model import Digest, Money, Severity, first_error
from placet.process import Attached
from workflows import loan_draw

loan = typer.Typer(help="Loans.", no_args_is_help=True)
packet = typer.Typer(help="Packets.", no_args_is_help=True)
_DRAW = re.compile(r"[1-9][0-9]{0,8}")
_N = TypeVar("_N", Lien, CoverNotice, CameBack)
_LIEN, _COVER, _CAME_BACK = "REFERENCE=DATE", "KIND=DATE", "PAYMENT=REASON"
_MONEY: TypeAdapter[Decimal] = TypeAdapter(Money)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@loan.command("import")
def import_loan(file: Path, as_json: AsJson = False) -> None:
    """Bring a loan and its budget: JSON, XLSX or CSV."""
    with failures():
        found = _load(file)
        settings = load_settings(LenderSettings)
        try:
            with Books.of(settings) as books:
                books.take_in(found)
        except Failure as error:
            raise fail(error.problem.error_description, REFUSED) from None
        show(
            {"loan": found.loan_id, "budget_lines": len(found.budget), "payees": len(found.payees)},
            as_json=as_json,
        )


@loan.command("note")
def note_loan(
    loan_id: Annotated[str, typer.Argument(metavar="LOAN")],
    lien: Annotated[
        list[str] | None, typer.Option(metavar=_LIEN, help="A lien, and its day.")
    ] = None,
    released: Annotated[
        list[str] | None, typer.Option(metavar="REFERENCE", help="A lien that is gone.")
    ] = None,
    cover_ends: Annotated[
        list[str] | None, typer.Option(metavar=_COVER, help="Cover that an insurer ends.")
    ] = None,
    cover_stands: Annotated[
        list[InsuranceKind] | None, typer.Option(help="Cover that stands after all.")
    ] = None,
    came_back: Annotated[
        list[str] | None,
        typer.Option(metavar=_CAME_BACK, help="A payment that came back, and why."),
    ] = None,
    equity_in: Annotated[str | None, typer.Option(help="The borrower's equity, now.")] = None,
    deposits: Annotated[str | None, typer.Option(help="The borrower's deposits, now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Note what the lender has learnt of a loan; a draw on the way is paid in this light."""
    with failures():
        settings = load_settings(LenderSettings)
        try:
            with settings.database("loan-servicing") as database:
                noted = note(
                    database,
                    loan_id,
                    recorded=tuple(
                        _noted(Lien, ("lien", _LIEN), "reference", "recorded", each)
                        for each in lien or ()
                    ),
                    released=tuple(released or ()),
                    ends=tuple(
                        _noted(CoverNotice, ("cover-ends", _COVER), "kind", "ends", each)
                        for each in cover_ends or ()
                    ),
                    stands=tuple(cover_stands or ()),
                    came_back=tuple(
                        _noted(
                            CameBack,
                            ("came-back", _CAME_BACK),
                            "payment",
                            "reason",
                            each,
                            noted=_today(),
                        )
                        for each in came_back or ()
                    ),
                    equity_in=_amount("equity-in", equity_in),
                    deposits=_amount("deposits", deposits),
                )
        except Failure as error:
            raise fail(error.problem.error_description, REFUSED) from None
        show(
            {
                "loan": noted.loan_id,
                "version": noted.version,
                "liens": [each.model_dump(mode="json") for each in noted.liens],
                "notices": [each.model_dump(mode="json") for each in noted.notices],
                "came_back": [
                    {"draw": draw.number, **each.model_dump(mode="json")}
                    for draw in noted.prior_draws
                    for each in draw.came_back
                ],
                "equity_in": f"{noted.equity_in:.2f}",
                "deposits": f"{noted.deposits:.2f}",
            },
            as_json=as_json,
        )


def _noted(
    model: type[_N], asked: tuple[str, str], name: str, what: str, said: str, **more: str
) -> _N:
    """What an option of this name and form notes."""
    option, form = asked
    value, there, rest = said.partition("=")
    if not (value and there and rest):
        raise fail(f"--{option}: {said!r} is not {form}", USAGE)
    try:
        return model.model_validate_json(json.dumps({name: value, what: rest, **more}))
    except ValidationError as error:
        _, why = first_error(error)
        raise fail(f"--{option}: {said!r} is not {form}: {why}", USAGE) from None


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _amount(option: str, said: str | None) -> Decimal | None:
    if said is None:
        return None
    try:
        amount = _MONEY.validate_python(said)
    except ValidationError:
        raise fail(f"--{option}: {said!r} is no amount like 1200.00", USAGE) from None
    if amount < 0:
        raise fail(f"--{option}: {said} is less than nothing", USAGE)
    return amount


def _load(file: Path) -> LoanFile:
    try:
        return load_loan_file(file)
    except LoanFileError as error:
        raise fail(str(error), USAGE) from None


@packet.command()
def check(
    folder: Path,
    loan_file: Annotated[Path, typer.Option("--loan", help="The loan, as a file.")],
    funding: Annotated[str | None, typer.Option(help="Funding date, YYYY-MM-DD.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the checks on a packet, nothing running. Exit 1 if anything blocks.

    Payees can't be screened here: payee.screened ends as "cannot determine", and does not count.
    """
    with failures():
        if not folder.is_dir():
            raise fail(f"{folder}: no such folder", USAGE)
        try:
            today = date.fromisoformat(funding) if funding else date.today()  # noqa: DTZ011 - the user's own day
        except ValueError:
            raise fail(f"--funding: {funding!r} is no date like 2026-11-24", USAGE) from None
        analysis = check_folder(folder, _load(loan_file), today)
        if as_json:
            show(analysis, as_json=True)
        else:
            _print_analysis(analysis)
        blocked = any(
            each.severity is Severity.BLOCKING and each.check != "payee.screened"
            for each in analysis.findings
        )
        raise typer.Exit(REFUSED if blocked else 0)


def _print_analysis(analysis: Analysis) -> None:
    out = console()
    for result in analysis.results:
        note = f" ({escape(result.reason)})" if result.reason else ""
        out.print(f"{result.check:24} {result.status.value}{note}", soft_wrap=True)
        for finding in result.findings:
            out.print(f"    {finding.severity.value}: {escape(finding.message)}", soft_wrap=True)
            for side in finding.compared:
                place = f"{side.place.document} {side.place.spot}".strip()
                line = f"        {side.label}: {side.value} — {place}"
                out.print(escape(line), soft_wrap=True)
    out.print(f"requested {analysis.requested}, recommended {analysis.recommended}")


@packet.command()
def samples(folder: Path) -> None:
    """Write the sample loans and packets into a folder."""
    with failures():
        write_samples(folder)
        print(f"sample loans and packets are in {folder}")


def attach_packet(subject: str, folder: Path) -> Attached:
    """Put a packet for a draw into document storage, as a new version: ``--packet DIR``.

    Raises:
        ValueError: no such folder, loan or draw, or it is no packet that storage takes.
    """
    loan_id, draw = subject.split("/")[1], subject.split("/")[3]
    if not _DRAW.fullmatch(draw):
        raise ValueError(f"draw {draw!r}: a draw is a number from 1 on, without leading zeros")
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    try:
        files = storage.read_packet_folder(folder)
    except Failure as error:
        raise ValueError(error.problem.error_description) from None
    if not files:
        raise ValueError(f"{folder} is empty: a packet has at least one file")
    settings = load_settings(LenderSettings)
    kept = settings.folder / "document-storage.db"
    if settings.database_url is None and not kept.exists():
        raise ValueError(f"no document storage in {settings.folder}; set PLACET_LENDER_FOLDER")
    try:
        with settings.database("loan-servicing") as database:
            read_loan(database, loan_id)
    except Failure as error:
        raise ValueError(f"loan {loan_id}: {error.problem.error_description}") from None
    try:
        with settings.database("document-storage") as database:
            version = storage.store_packet(database, loan_id, int(draw), files)
    except Failure as error:
        raise ValueError(f"{folder}: {error.problem.error_description}") from None
    return Attached(f"{subject}/packet", str(version))


def read_document(subject: str, name: str, digest: Digest) -> bytes:
    """A document of a draw's packet from document storage, by its name and digest.

    Raises:
        ValueError: there is no document storage here, or it has no such document.
    """
    _, loan_id, _, draw = subject.split("/")
    settings = load_settings(LenderSettings)
    kept = settings.folder / "document-storage.db"
    if settings.database_url is None and not kept.exists():
        raise ValueError(f"no document storage in {settings.folder}; set PLACET_LENDER_FOLDER")
    try:
        with settings.database("document-storage") as database:
            return storage.find_file(database, loan_id, int(draw), name, digest)
    except Failure as error:
        raise ValueError(f"{name}: {error.problem.error_description}") from None


PROCESS = replace(
    loan_draw.PROCESS,
    attach={"packet": attach_packet},
    document=read_document,
    papers={"deficiency_letter": deficiency_letter, "worksheet": worksheet},
)
"""The process as the command line knows it: with what its cases take along."""
