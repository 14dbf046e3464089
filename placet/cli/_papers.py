"""``placet checkpoint …``: documents as text, attached files, and what is written for people."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from placet.cli._base import REFUSED, USAGE, AsJson, fail, failures, operator_client, run, show
from placet.cli._documents import File, NoDocument, fetch_document, files_of, read_text
from placet.cli._named import checkpoint_id
from placet.cli._output import harmless
from placet.cli._pages import NoText, Page, find
from placet.cli._processes import processes
from placet.cli._showing import checkpoint, published_process
from placet.client import OperatorClient
from placet.model import CaseView, CheckpointView, InputPart, quantity
from placet.process import Paper

__all__ = ["checkpoint"]

Save = Annotated[Path | None, typer.Option(help="Keep it as this file, which must be new.")]
Shown = tuple[CaseView, CheckpointView, list[InputPart]]


async def _shown(client: OperatorClient, identifier: str) -> Shown:
    """A checkpoint with its case and every part of its evidence, each held to its digest."""
    view = await client.checkpoint(checkpoint_id(identifier))
    case = await client.case(view.case)
    digests = [each.digest for each in view.evidence.items]
    return case, view, [await client.part(view.case, each) for each in digests]


async def _files(client: OperatorClient, shown: Shown) -> tuple[File, ...]:
    case, _, parts = shown
    definition = await published_process(client, case)
    return files_of(definition.presentation, parts) if definition else ()


@checkpoint.command()
def documents(identifier: str, as_json: AsJson = False) -> None:
    """List the documents that the evidence was read from, each with its digest."""

    async def work() -> list[dict[str, str]]:
        async with operator_client() as client:
            found = await _files(client, await _shown(client, identifier))
            return [{"name": each.name, "digest": each.digest} for each in found]

    with failures():
        show(run(work()), as_json=as_json, columns=("name", "digest"))


@checkpoint.command()
def document(
    identifier: str,
    name: str,
    spot: Annotated[
        str | None, typer.Option(help="Mark this place, as a finding names it: page 2, Total.")
    ] = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Print a document's text with a place marked by ▶, or keep the document itself.

    It comes from where the process's package keeps it, and is the one that the evidence names.
    """

    async def work() -> tuple[bytes, tuple[Page, ...]]:
        async with operator_client() as client:
            shown = await _shown(client, identifier)
            found = await _files(client, shown)
            file = next((each for each in found if each.name == name), None)
            if file is None:
                names = ", ".join(each.name for each in found) or "none"
                raise fail(f"the evidence names no document {name!r}; there are: {names}", USAGE)
            content = await fetch_document(shown[0].process, shown[1].subject, file)
            return content, () if save else await read_text(name, content)

    with failures():
        try:
            content, pages = run(work())
        except NoDocument as error:
            raise fail(str(error), REFUSED) from None
        except NoText as error:
            raise fail(f"{error}: --save FILE") from None
        if save is not None:
            _keep(save, content, as_json=as_json)
        else:
            _print_pages(pages, spot, as_json=as_json)


def _print_pages(pages: Sequence[Page], spot: str | None, *, as_json: bool) -> None:
    found = find(tuple(pages), spot) if spot else None
    if as_json:
        marked = None if found is None else asdict(found)
        show({"pages": [asdict(each) for each in pages], "spot": marked}, as_json=True)
    for at, page in enumerate(() if as_json else pages):
        print(f"== {harmless(page.title)}")
        if any(page.labels):
            print("   " + " | ".join(harmless(each) for each in page.labels))
        for number, row in enumerate(page.rows):
            here = found is not None and (found.page, found.row) == (at, number)
            print(f"{'▶' if here else ' '}  {' | '.join(harmless(each) for each in row)}")
    if spot and found is None:
        typer.echo(f"placet: {harmless(spot)}: not found in its text", err=True)


@checkpoint.command("file")
def attached(identifier: str, name: str, save: Save = None, as_json: AsJson = False) -> None:
    """Print a file that someone attached as text, or keep it; checked against its signed digest.

    NAME is the file's, the newest of that name; or the act that attached it, as `placet checkpoint
    show --json` has it among the remarks.
    """

    async def work() -> tuple[bytes, tuple[Page, ...]]:
        async with operator_client() as client:
            view = await client.checkpoint(checkpoint_id(identifier))
            files = [each for each in view.remarks if each.name]
            found = [each for each in files if each.act == name]
            found = found or [each for each in files if each.name == name]
            if not found:
                names = harmless(", ".join(str(each.name) for each in files)) or "none"
                said = f"no file {harmless(name)!r} is attached to it; there are: {names}"
                raise fail(said, USAGE)
            content = await client.attachment(view, found[-1].act)
            return content, () if save else await read_text(str(found[-1].name), content)

    with failures():
        try:
            content, pages = run(work())
        except NoText as error:
            raise fail(f"{error}: --save FILE") from None
        if save is not None:
            _keep(save, content, as_json=as_json)
        else:
            _print_pages(pages, None, as_json=as_json)


@checkpoint.command()
def write(
    identifier: str,
    paper: Annotated[str | None, typer.Argument(help="Which; without it they are listed.")] = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Write a letter or a worksheet from what a checkpoint shows; the process's package does it."""

    async def work() -> dict[str, Paper]:
        async with operator_client() as client:
            case, view, parts = await _shown(client, identifier)
            found = processes().get(case.process)
            if found is None or not found.papers:
                raise fail(f"the package of {case.process} that is installed here writes none")
            names = [paper] if paper is not None else sorted(found.papers)
            if not set(names) <= found.papers.keys():
                raise fail(f"it writes {', '.join(sorted(found.papers))}, no {paper}", USAGE)
            return {each: found.papers[each](view, parts) for each in names}

    with failures():
        try:
            written = run(work())
        except (ValueError, OSError) as error:
            raise fail(str(error)) from None
        if paper is None:
            _list_papers(written, as_json=as_json)
            return
        (made,) = written.values()
        if save is not None or not made.name.endswith((".txt", ".md")):
            _keep(save or Path(made.name), made.content, as_json=as_json)
            return
        text = made.content.decode("utf-8", "replace")
        if as_json:
            show({"name": paper, "file": made.name, "text": text}, as_json=True)
            return
        for line in text.splitlines():
            print(harmless(line))


def _list_papers(written: Mapping[str, Paper], *, as_json: bool) -> None:
    if as_json:
        papers = [
            {"name": name, "file": each.name, "bytes": len(each.content)}
            for name, each in written.items()
        ]
        show(papers, as_json=True)
        return
    for name, each in written.items():
        print(f"{name}  {harmless(each.name)}  {quantity(len(each.content), 'byte')}")


def _keep(path: Path, content: bytes, *, as_json: bool) -> None:
    """Write a new file; what is there already is never written over."""
    place = path.expanduser()
    try:
        with place.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise fail(f"{path} is there already: choose another name", USAGE) from None
    except OSError as error:
        with contextlib.suppress(OSError):
            place.unlink(missing_ok=True)  # half a file is none
        raise OSError(error.errno, error.strerror, str(path)) from None
    if as_json:
        show({"kept": str(place.absolute()), "bytes": len(content)}, as_json=True)
    else:
        print(f"kept as {place.absolute()}")
