"""``placet authority …`` and ``placet policy …``."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from placet.authority import (
    AlreadyCreated,
    AuthoritySettings,
    SigningKeys,
    Store,
    WrongName,
    create_log,
    rotate_keys,
    serve,
)
from placet.cli._base import (
    REFUSED,
    USAGE,
    fail,
    failures,
    load_settings,
    operator_client,
    read_model,
    read_public_key,
    read_text,
    run,
    show,
)
from placet.cli._identities import AsJson
from placet.cli._processes import processes
from placet.model import AuthorityMatrix, PublishPolicy, format_time
from placet.rules import BadPolicies, load_policies

authority = typer.Typer(help="The service that says yes or no.", no_args_is_help=True)
policy = typer.Typer(help="The lender's policies.", no_args_is_help=True)


@authority.command()
def init(
    admin: Annotated[str, typer.Option(help="The first administrator's name.")],
    public_key: Annotated[Path, typer.Option(help="The administrator's public key, a JWK.")],
) -> None:
    """Create the log: its first entry names the first administrator's key."""

    async def work() -> None:
        settings = load_settings(AuthoritySettings)
        key = read_public_key(public_key)
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            keys = SigningKeys(settings.key_passphrase.get_secret_value())
            await create_log(store, keys, [(admin, key)])

    with failures():
        try:
            run(work())
        except AlreadyCreated as error:
            raise fail(str(error), REFUSED) from None
        except WrongName as error:
            raise fail(f"--admin: {error}", USAGE) from None
        print("the log is created; its administrator is", admin)


@authority.command("serve")
def serve_() -> None:
    """Serve the authority until stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    with failures():
        run(serve(load_settings(AuthoritySettings)))


@authority.command("rotate-key")
def rotate_key(as_json: AsJson = False) -> None:
    """Publish a new key for grants; the old one signs until everyone can have seen the new one."""

    async def work() -> dict[str, str]:
        settings = load_settings(AuthoritySettings)
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            keys = SigningKeys(settings.key_passphrase.get_secret_value())
            kid, signs_from = await rotate_keys(store, keys)
            return {"kid": kid, "signs_from": format_time(signs_from)}

    with failures():
        show(run(work()), as_json=as_json)


Folder = Annotated[Path, typer.Argument(help="Holds policies.cedar and schema.cedarschema.")]


@policy.command()
def check(folder: Folder) -> None:
    """Check policies, schema and matrix, nothing running."""
    with failures():
        policies, schema = _read(folder)
        try:
            loaded = load_policies(policies, schema)
        except BadPolicies as error:
            raise fail("\n".join(f"{folder}: {each}" for each in error.problems), REFUSED) from None
        matrix = folder / "authority-matrix.json"
        if matrix.exists():
            read_model(matrix, AuthorityMatrix)
        print(f"{len(loaded.ids)} policies hold together; digest {loaded.digest}")


@policy.command()
def publish(folder: Folder, process: str = "loan-draw", as_json: AsJson = False) -> None:
    """Publish a process, its matrix and its policies, each as a signed act (administrators)."""
    with failures():
        found = processes().get(process)
        if found is None:
            raise fail(f"there is no process {process!r}", USAGE)
        policies, schema = _read(folder)
        matrix = read_model(folder / "authority-matrix.json", AuthorityMatrix)

        async def work() -> list[object]:
            async with operator_client() as client:
                body = PublishPolicy(policies=policies, cedar_schema=schema)
                return [
                    await client.act("process.publish", process, found.definition),
                    await client.act("matrix.publish", process, matrix),
                    await client.act("policy.publish", process, body),
                ]

        show(run(work()), as_json=as_json, columns=("act", "target", "entry"))


def _read(folder: Path) -> tuple[str, str]:
    return (
        read_text(folder / "policies.cedar"),
        read_text(folder / "schema.cedarschema"),
    )
