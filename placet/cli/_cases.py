"""``placet case …`` and ``placet checkpoint …``."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from placet.cli._base import REFUSED, USAGE, fail, failures, operator_client, run, show
from placet.cli._identities import AsJson, Why
from placet.cli._lists import case, checkpoint, tell_late
from placet.cli._processes import processes
from placet.client import OperatorClient
from placet.model import (
    ActAnswer,
    AdmitCase,
    AuthorityMatrix,
    CaseId,
    CaseQuery,
    CaseStatus,
    CaseView,
    CheckpointId,
    CheckpointStatus,
    DecisionAnswer,
    Hold,
    InputPart,
    Reason,
    RecordId,
    Verdict,
    parse_money,
    template_variables,
)
from placet.process import Attached, Process

__all__ = ["case", "checkpoint", "checkpoint_id"]

_CASE: TypeAdapter[str] = TypeAdapter(CaseId)
_CHECKPOINT: TypeAdapter[str] = TypeAdapter(CheckpointId)
_RECORD: TypeAdapter[str] = TypeAdapter(RecordId)
_EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}


@case.command("show")
def show_case(case_id: str, as_json: AsJson = False) -> None:
    """Show one case."""

    async def work() -> CaseView:
        async with operator_client() as client:
            return await client.case(_id(_CASE, case_id))

    with failures():
        found = run(work())
        show(found, as_json=as_json)
        tell_late([found])


@case.command("open", context_settings=_EXTRA)
def open_case(
    context: typer.Context,
    process: Annotated[str, typer.Option(help="The process.")] = "loan-draw",
    as_json: AsJson = False,
) -> None:
    """Open a case: --loan ID --draw N --packet DIR, as the process's subject asks."""
    with failures():
        options = _options(context.args)
        found = _process(process)
        names = template_variables(found.definition.subject)
        missing = [name for name in names if name not in options]
        if missing:
            raise fail(f"give --{' --'.join(missing)}: the subject of {process}", USAGE)
        subject = _subject(found, {name: options.pop(name) for name in names})
        attach = _attachments(found, options)

        async def work() -> ActAnswer:
            async with operator_client() as client:
                await _require_opener(client, process)
                cases = [each async for each in client.case_lines(CaseQuery(record=subject))]
                taken = [each for each in cases if each.subject == subject]
                if any(each.status is not CaseStatus.CLOSED for each in taken):
                    raise fail(f"{subject} has an open case already", REFUSED)
                absent = [name for name in found.attach if name not in options]
                if absent:
                    raise fail(f"give --{' --'.join(absent)}: what the case is about", USAGE)
                attach(subject)
                return await client.open_case(process, subject)

        show(run(work()), as_json=as_json)


@case.command("resubmit", context_settings=_EXTRA)
def resubmit_case(context: typer.Context, case_id: str, as_json: AsJson = False) -> None:
    """Answer a return: --packet DIR (--moves FILE) puts what is new there; the case is told."""
    with failures():
        options = _options(context.args)

        async def work() -> ActAnswer:
            async with operator_client() as client:
                view = await client.case(_id(_CASE, case_id))
                process = _process(view.process)
                attach = _attachments(process, options, again=True)
                if len(options) != 1:
                    raise fail(f"give one of --{', --'.join(sorted(process.attach))}", USAGE)
                await _require_opener(client, view.process)
                await _require_returned(client, view)
                (attached,) = attach(view.subject)
                return await client.resubmit(case_id, attached.record, attached.version)

        show(run(work()), as_json=as_json)


# The authority decides all of this again. Asked beforehand, a refusal leaves nothing half-written:
# what is attached lies in a system of record before the authority is told.


async def _require_opener(client: OperatorClient, process: str) -> None:
    published = await client.get("/v1/published")
    matrices = [AuthorityMatrix.model_validate_json(each) for each in published["matrices"]]
    ours = [each for each in matrices if each.process == process]
    if not ours:
        raise fail(f"no authority matrix is published for {process}", REFUSED)
    openers = max(ours, key=lambda each: each.version).openers
    people = await client.identities("operator")
    roles = [
        role for each in people if each["principal"] == client.operator for role in each["roles"]
    ]
    if not set(openers) & set(roles):
        raise fail(f"this needs the role {' or '.join(openers) or '(nobody)'}", REFUSED)


async def _require_returned(client: OperatorClient, view: CaseView) -> None:
    if view.status is not CaseStatus.OPEN:
        raise fail(f"the case is {view.status.value}, not open", REFUSED)
    asked = await client.checkpoints(case=view.id)
    newest = max(asked, key=lambda each: each.opened_at, default=None)
    if newest is None:
        raise fail("nothing was returned: the case has no checkpoint yet", REFUSED)
    if newest.status is not CheckpointStatus.RETURNED:
        raise fail(
            f"nothing was returned: the {newest.name} checkpoint is {newest.status.value}", REFUSED
        )


def _subject(process: Process, variables: Mapping[str, str]) -> RecordId:
    for name, value in variables.items():
        if not _fits(_RECORD, f"any/{value}") or "/" in value:
            raise fail(f"--{name}: {value!r} is no part of a record's path", USAGE)
    return process.definition.subject.format_map(variables)


def _id(kind: TypeAdapter[str], text: str) -> str:
    if not _fits(kind, text):
        what = "case" if kind is _CASE else "checkpoint"
        raise fail(f"{text!r} is no {what}'s id; see placet {what} list", USAGE)
    return text


def checkpoint_id(text: str) -> str:
    """A checkpoint's id, or a failure that says where to find one."""
    return _id(_CHECKPOINT, text)


def _fits(kind: TypeAdapter[str], text: str) -> bool:
    try:
        kind.validate_python(text)
    except ValidationError:
        return False
    return True


def _process(name: str) -> Process:
    found = processes().get(name)
    if found is None:
        raise fail(f"there is no process {name!r}; there are {sorted(processes())}", USAGE)
    return found


def _attachments(
    process: Process, options: Mapping[str, str], *, again: bool = False
) -> Callable[[RecordId], list[Attached]]:
    """What the options attach to a subject, once it is asked for."""
    taking = process.attaching(again=again)
    for name in options:
        if name not in taking:
            raise fail(f"process {process.name} has no option --{name}", USAGE)

    def attach(subject: RecordId) -> list[Attached]:
        done: list[Attached] = []
        for name, value in options.items():
            try:
                done.append(taking[name](subject, Path(value)))
            except ValidationError:
                raise
            except ValueError as error:
                raise fail(f"--{name}: {error}", USAGE) from None
        return done

    return attach


def _options(arguments: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name = rest.pop(0)
        if not name.startswith("--") or not rest:
            raise fail(f"{name}: options are given as --name value", USAGE)
        if name[2:] in found:
            raise fail(f"{name} is given twice", USAGE)
        found[name[2:]] = rest.pop(0)
    return found


@case.command()
def hold(record: str, reason: Why, as_json: AsJson = False) -> None:
    """Put a signed hold on a record, such as loan/L-1001."""
    _act("hold.place", record, Hold(reason=reason), as_json=as_json)


@case.command()
def lift(record: str, reason: Why, as_json: AsJson = False) -> None:
    """Lift a hold."""
    _act("hold.lift", record, Reason(reason=reason), as_json=as_json)


@case.command()
def admit(
    case_id: str,
    reason: Why,
    run_id: Annotated[
        str | None, typer.Option("--run", help="The run that you looked at and let go on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a stopped case go on, or a closed one be archived in spite of its alarm (administrators).

    --run: it goes on in this run of its workflow, which joins the case's chain.
    """
    with failures():
        target = _id(_CASE, case_id)
        try:
            body = AdmitCase(reason=reason, run_id=run_id)
        except ValidationError:
            raise fail(f"--run: {run_id!r} is no run id", USAGE) from None
    _act("case.admit", target, body, as_json=as_json)


@case.command()
def erase(case_id: str, reason: Why, as_json: AsJson = False) -> None:
    """Destroy what may go of a closed case: two administrators, not before its retention is over.

    Signed by one, it waits for another one's `placet act countersign`.
    """
    with failures():
        target = _id(_CASE, case_id)
    _act("case.erase", target, Reason(reason=reason), as_json=as_json)


@case.command()
def end(case_id: str, reason: Why, as_json: AsJson = False) -> None:
    """End a case that can't end by itself, so that its subject is free (administrators)."""
    with failures():
        target = _id(_CASE, case_id)
    _act("case.end", target, Reason(reason=reason), as_json=as_json)


def _act(act: str, target: str, body: Any, *, as_json: bool) -> None:
    async def work() -> ActAnswer:
        async with operator_client() as client:
            return await client.act(act, target, body)

    with failures():
        show(run(work()), as_json=as_json)


# --- checkpoints ------------------------------------------------------------------------------


@checkpoint.command("part")
def show_part(checkpoint_id: str, name: str) -> None:
    """Print the evidence parts of a name as JSON, each held against its digest."""

    async def work() -> list[InputPart]:
        async with operator_client() as client:
            view = await client.checkpoint(_id(_CHECKPOINT, checkpoint_id))
            wanted = [each for each in view.evidence.items if each.name == name]
            if not wanted:
                names = ", ".join(dict.fromkeys(each.name for each in view.evidence.items))
                raise fail(f"the checkpoint has no part {name!r}; it has {names}", USAGE)
            return [await client.part(view.case, each.digest) for each in wanted]

    with failures():
        show(run(work()), as_json=True)


def require_named(given: Decimal | None, proposed: Decimal | None) -> None:
    """Require that whoever approves names the amount that is proposed, and none where none is.

    Raises:
        CommandFailed: it is another.
    """
    if given == proposed:
        return
    if proposed is None:
        raise fail("no amount is asked for here: leave --amount out", REFUSED)
    raise fail(
        f"name the amount that you approve: --amount {proposed}; to approve less, "
        "take it off its rows: placet checkpoint lower",
        REFUSED,
    )


def _decide(
    verdict: Verdict,
    checkpoint_id: str,
    amount: str | None,
    accept: list[str] | None,
    reason_code: str | None,
    comment: str | None,
    *,
    as_json: bool,
    stands_in_for: str | None = None,
) -> None:
    async def work() -> DecisionAnswer:
        async with operator_client() as client:
            view = await client.checkpoint(_id(_CHECKPOINT, checkpoint_id))
            proposed = view.evidence.proposal.amount
            given = parse_money(amount) if amount is not None else None
            if verdict is Verdict.APPROVE:
                require_named(given, proposed)
            accepted = _accepted(accept)
            if accepted.keys() - set(view.requirement.exceptions):
                said = " ".join(view.requirement.exceptions) or "none is asked for"
                raise fail(f"accept blocking findings of this checkpoint alone: {said}", REFUSED)
            return await client.decide(
                view,
                verdict,
                amount=given,
                reason_code=reason_code,
                exceptions=accepted,
                comment=comment,
                stands_in_for=None if stands_in_for is None else f"operator:{stands_in_for}",
            )

    with failures():
        try:
            answer = run(work())
        except ValidationError:
            raise
        except ValueError as error:
            raise fail(str(error), USAGE) from None
        if as_json:
            show(answer, as_json=True)
        else:
            print(f"{verdict.value} is recorded as entry {answer.entry}")
            print(f"{answer.outcome.checkpoint} is {answer.outcome.status.value}")


def _accepted(given: list[str] | None) -> dict[str, str]:
    """The findings that are accepted with their reasons, as ``ID=REASON`` each."""
    found: dict[str, str] = {}
    for each in given or ():
        finding, equals, reason = each.partition("=")
        if not equals or not reason.strip():
            raise fail(f"--accept '{finding}=REASON': say why the finding is accepted", USAGE)
        if finding in found:
            raise fail(f"--accept {finding} is given twice", USAGE)
        found[finding] = reason.strip()
    return found


Comment = Annotated[str | None, typer.Option(help="For the record.")]
StandsInFor = Annotated[str | None, typer.Option(help="Who is away and has handed over to you.")]
Code = Annotated[str | None, typer.Option("--reason-code", help="Why, in one word.")]


@checkpoint.command()
def approve(
    checkpoint_id: str,
    amount: Annotated[str | None, typer.Option(help="The amount you approve.")] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(help="A blocking finding accepted as an exception: ID=REASON."),
    ] = None,
    comment: Comment = None,
    stands_in_for: StandsInFor = None,
    as_json: AsJson = False,
) -> None:
    """Approve, naming the amount and every exception."""
    _decide(
        Verdict.APPROVE,
        checkpoint_id,
        amount,
        accept,
        None,
        comment,
        as_json=as_json,
        stands_in_for=stands_in_for,
    )


@checkpoint.command()
def reject(
    checkpoint_id: str,
    reason_code: Code = None,
    comment: Comment = None,
    stands_in_for: StandsInFor = None,
    as_json: AsJson = False,
) -> None:
    """Reject."""
    told = (Verdict.REJECT, checkpoint_id, None, None, reason_code, comment)
    _decide(*told, as_json=as_json, stands_in_for=stands_in_for)


@checkpoint.command("return")
def return_(
    checkpoint_id: str,
    reason_code: Code = None,
    comment: Comment = None,
    stands_in_for: StandsInFor = None,
    as_json: AsJson = False,
) -> None:
    """Return, with questions."""
    told = (Verdict.RETURN, checkpoint_id, None, None, reason_code, comment)
    _decide(*told, as_json=as_json, stands_in_for=stands_in_for)


@checkpoint.command()
def withdraw(checkpoint_id: str, comment: Comment = None, as_json: AsJson = False) -> None:
    """Take back your own word, before the outcome."""
    _decide(Verdict.WITHDRAW, checkpoint_id, None, None, None, comment, as_json=as_json)


@checkpoint.command()
def abstain(checkpoint_id: str, comment: Comment = None, as_json: AsJson = False) -> None:
    """Abstain, for a conflict of interest; it is final."""
    _decide(Verdict.ABSTAIN, checkpoint_id, None, None, None, comment, as_json=as_json)
