"""``placet sign-in`` and ``sign-out``, at your identity provider; enrolling with a code."""

import asyncio
import base64
import getpass
import json
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from placet.cli._base import AWAY, USAGE, failures, operator_client, run
from placet.cli._keyring import remember
from placet.cli._named import principal
from placet.cli._output import AsJson, fail, harmless, show, write_bytes
from placet.cli._settings import OperatorSettings, load_settings
from placet.client import AuthorityAway, AuthorityError, OperatorClient
from placet.model import ActAnswer, Invite, SignInAnswer
from placet.tokens import SigningKey, invitation_key, read_key_file, write_key_file


def sign_in(
    fresh: Annotated[
        bool, typer.Option(help="Prove anew that it is you, as large amounts ask for.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign in at your identity provider, with the key in PLACET_KEY_FILE."""
    with failures():
        settings = load_settings(OperatorSettings)
        if settings.key_file is None:
            raise fail("set PLACET_KEY_FILE to where this device's key is, or is to be", USAGE)
        secret = settings.passphrase.get_secret_value() if settings.passphrase else None
        if not settings.key_file.exists():
            write_key_file(settings.key_file, SigningKey.generate(), secret)
        key = read_key_file(settings.key_file, secret)

        async def work() -> SignInAnswer:
            async with OperatorClient(settings.issuer, "operator:signing-in", key) as client:
                begun = await client.begin_sign_in(fresh=fresh)
                address = begun.verification_uri_complete or begun.verification_uri
                said = harmless(f"open {address} and enter {begun.user_code}")
                print(said, file=sys.stderr, flush=True)
                while True:
                    await asyncio.sleep(begun.interval)
                    done = await client.finish_sign_in(begun)
                    if done is not None:
                        return done

        done = run(work())
        name = done.operator.partition(":")[2]
        write_bytes(session_file(settings.key_file), json.dumps({"operator": name}).encode())
        show({"operator": name, "until": str(done.session_ends_at)}, as_json=as_json)


def sign_out(
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="On all your devices, say because one is lost.")
    ] = False,
    of: Annotated[
        str | None, typer.Option(help="Another person, on all their devices (administrators).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """End the session of this device's key."""

    async def work() -> list[ActAnswer]:
        async with operator_client() as client:
            ended = {each["data"]["session"] for each in await client.entries("session.ended")}
            whose = client.operator if of is None else f"operator:{of}"
            live = [
                each["data"]
                for each in await client.entries("session.started")
                if each["data"]["principal"] == whose and each["data"]["session"] not in ended
            ]
            live.sort(key=lambda each: each["jwk"].get("kid") == client.thumbprint)  # its own last
            if not everywhere and of is None:
                live = [each for each in live if each["jwk"].get("kid") == client.thumbprint]
            if not live:
                raise fail("this key has no session" if of is None else f"{of} has no session")
            return [await client.act("session.end", str(each["session"]), {}) for each in live]

    with failures():
        show(run(work()), as_json=as_json, columns=("act", "target", "status", "entry"))


def session_file(key_file: Path) -> Path:
    """Where it stands who signed in with a key file's key."""
    return key_file.with_name(key_file.name + ".session")


def people_commands(app: typer.Typer) -> None:
    """Inviting with a one-time code."""

    @app.command()
    def invite(
        name: str,
        role: Annotated[list[str], typer.Option(help="A role; may be repeated.")],
        minutes: Annotated[int, typer.Option(help="How long the code is good.")] = 60,
        as_json: AsJson = False,
    ) -> None:
        """Invite someone to enrol a key of their own; prints a code that is good once."""

        async def work() -> ActAnswer:
            async with operator_client() as client:
                body = Invite(
                    roles=tuple(role),
                    invitation_key=invitation_key(target, code).thumbprint,
                    minutes=minutes,
                )
                return await client.act("operator.invite", target, body)

        with failures():
            target = principal("operator", name)
            code = new_code()
            answer = run(work())
            shown = {"operator": name, "code": code, "status": answer.status}
            show(shown, as_json=as_json)


def new_code() -> str:
    """A one-time code: 100 random bits, in four groups of five letters and digits."""
    text = base64.b32encode(secrets.token_bytes(13)).decode()[:20]
    return "-".join(text[at : at + 5] for at in range(0, 20, 5))


def enrol_with_code(name: str, code: str, *, in_keyring: bool) -> ActAnswer:
    """Make a key on this device, protect it, and enrol it with the code.

    Raises:
        CommandFailed: a setting is missing, or the key file is there already.
    """
    settings = load_settings(OperatorSettings)
    file = settings.key_file
    if file is None:
        raise fail("set PLACET_KEY_FILE to a file that is not there yet", USAGE)
    if file.exists():
        tell = (
            "if an enrolment of it was cut off, try its key; if that is nobody's, remove the file"
        )
        raise fail(f"{file} is there already; {tell}", USAGE)
    secret = settings.passphrase.get_secret_value() if settings.passphrase else None
    if in_keyring:
        secret = secrets.token_urlsafe(24)
    elif secret is None and sys.stdin.isatty():
        secret = getpass.getpass(f"a new passphrase for {file.name}: ")
    if not secret:
        raise fail("a key rests under a passphrase: set PLACET_PASSPHRASE, or use --keyring", USAGE)
    key = SigningKey.generate()
    if in_keyring:
        remember(file, secret)
    write_key_file(file, key, secret)

    async def work() -> ActAnswer:
        async with OperatorClient(settings.issuer, f"operator:{name}", key) as client:
            return await client.enrol_with_code(code.strip().upper())

    try:
        return run(work())
    except (AuthorityAway, AuthorityError) as error:
        if isinstance(error, AuthorityError) and not error.undecided:
            file.unlink()  # it is nobody's; the next try makes another
            raise
        kept = f"{file} stays, in case its key was enrolled: try it, and remove it if it was not"
        raise fail(f"{error}; {kept}", AWAY) from None
