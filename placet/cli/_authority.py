"""``placet authority …``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from placet.authority import (
    FORESEEN,
    AlreadyCreated,
    AuthoritySettings,
    SignerSettings,
    SigningKeys,
    Store,
    WrongName,
    create_log,
    log_trust,
    make_log_key,
    migrate,
    rotate_keys,
    rotate_passphrase,
    rotate_payload_keys,
    serve,
    serve_signer,
)
from placet.cli._base import (
    REFUSED,
    USAGE,
    fail,
    failures,
    load_settings,
    read_public_key,
    run,
    show,
)
from placet.cli._identities import AsJson
from placet.cli._output import write_bytes
from placet.model import RekeyLog, format_time
from placet.telemetry import TelemetrySettings, telling
from placet.transport import run_long

authority = typer.Typer(help="The service that says yes or no.", no_args_is_help=True)


@authority.command()
def init(
    admin: Annotated[
        list[str], typer.Option(help="A first administrator's name; may be repeated.")
    ],
    public_key: Annotated[
        list[Path], typer.Option(help="Their public key, a JWK; one for each, in order.")
    ],
    signatures: Annotated[
        int, typer.Option(min=1, max=2, help="How many sign what changes who may approve.")
    ] = 1,
) -> None:
    """Create the log: its first entry names the first administrators' keys."""

    async def work() -> None:
        settings = load_settings(AuthoritySettings)
        if len(admin) != len(public_key):
            raise fail("--public-key: give one for each --admin", USAGE)
        first = [
            (name, read_public_key(path)) for name, path in zip(admin, public_key, strict=True)
        ]
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            keys = SigningKeys.of(settings)
            await create_log(store, keys, first, signatures=signatures)

    with failures(*FORESEEN):
        try:
            run(work())
        except AlreadyCreated as error:
            raise fail(str(error), REFUSED) from None
        except WrongName as error:
            raise fail(f"--admin: {error}", USAGE) from None
        print("the log is created; administrators:", ", ".join(admin))
        print("what auditors need of you, once: placet authority trust > trust.json")


@authority.command("trust")
def trust_() -> None:
    """Print what auditors need of you: the log's key, and the first administrators' thumbprints.

    Give it to them when the log is new, by a way of their own; they say --trust FILE from then on.
    """

    async def work() -> str:
        settings = load_settings(AuthoritySettings)
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            log_key, administrators = await log_trust(store)
            return json.dumps({"log_key": log_key, "administrators": administrators}, indent=2)

    with failures(*FORESEEN):
        print(run(work()))


@authority.command("serve")
def serve_() -> None:
    """Serve the authority until stopped."""
    with failures(*FORESEEN):
        telemetry = load_settings(TelemetrySettings)
        with telling("placet-authority", telemetry):
            run_long(serve(load_settings(AuthoritySettings), telemetry))


@authority.command("signer")
def signer_() -> None:
    """Keep the authority's private keys in this process, and sign for it, until stopped."""
    with failures(*FORESEEN):
        settings, telemetry = load_settings(SignerSettings), load_settings(TelemetrySettings)
        with telling("placet-signer", telemetry):
            run_long(serve_signer(settings))


@authority.command("migrate")
def migrate_(
    to: Annotated[
        str | None, typer.Option(help="A revision, to go down to before older code is started.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the database's tables to this program's revision. Stop every authority on it first."""

    def work() -> dict[str, str]:
        settings = load_settings(AuthoritySettings)
        url = settings.database_url
        done = migrate(url) if to is None else migrate(url, to)
        return {"before": done.before, "after": done.after}

    with failures(*FORESEEN):
        try:
            show(work(), as_json=as_json)
        except ValueError as error:
            raise fail(str(error), USAGE) from None


@authority.command("rotate-key")
def rotate_key(
    at_once: Annotated[
        bool, typer.Option("--at-once", help="The old one may be stolen: it ends now.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish a new key for grants; the old one signs until everyone can have seen the new one.

    --at-once: nothing that the old one signed counts any more, grants and sessions; steps that run
    are tried again, and people's tools sign in again by themselves.
    """

    async def work() -> dict[str, str]:
        settings = load_settings(AuthoritySettings)
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            keys = SigningKeys.of(settings)
            kid, signs_from = await rotate_keys(store, keys, at_once=at_once)
            return {"kid": kid, "signs_from": format_time(signs_from)}

    with failures(*FORESEEN):
        show(run(work()), as_json=as_json)


@authority.command("rotate-payload-keys")
def rotate_payload_keys_(as_json: AsJson = False) -> None:
    """Make a new tenant key for payloads, and a new key for each open case; old ones still read."""

    async def work() -> dict[str, int]:
        settings = load_settings(AuthoritySettings)
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            keys = SigningKeys.of(settings)
            return {"cases": await rotate_payload_keys(store, keys)}

    with failures(*FORESEEN):
        show(run(work()), as_json=as_json)


@authority.command("rotate-passphrase")
def rotate_passphrase_(as_json: AsJson = False) -> None:
    """Put the keys in the database under the passphrase of now, from the one before.

    Both come from settings: PLACET_AUTHORITY_KEY_PASSPHRASE and …_KEY_PASSPHRASE_BEFORE.
    """

    async def work() -> dict[str, int]:
        settings = load_settings(AuthoritySettings)
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            return {"keys": await rotate_passphrase(store, SigningKeys.of(settings))}

    with failures(*FORESEEN):
        show(run(work()), as_json=as_json)


@authority.command("make-log-key")
def make_log_key_(file: Path) -> None:
    """Make a key for the ledger's heads, and write for an administrator to sign what it is.

    It signs nothing until they have: placet ledger rotate-key FILE.
    """

    async def work() -> RekeyLog:
        settings = load_settings(AuthoritySettings)
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            return await make_log_key(store, SigningKeys.of(settings))

    with failures(*FORESEEN):
        if file.exists():
            raise fail(f"{file}: it is there already", USAGE)
        made = run(work())
        write_bytes(file, f"{made.model_dump_json(exclude={'overlap_hours'})}\n".encode())
        print(made.key)
