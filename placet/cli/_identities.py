"""``placet agent|operator|system …``: keys, enrolment, suspension."""

import json
from pathlib import Path
from typing import Annotated

import typer

from placet.cli._base import (
    USAGE,
    AsJson,
    fail,
    failures,
    operator_client,
    read_public_key,
    run,
    show,
)
from placet.cli._commands import TakesId
from placet.cli._named import principal
from placet.cli._sign_in import enrol_with_code, people_commands
from placet.model import ActAnswer, AddKey, EnrolIdentity, Reason, SetRoles
from placet.tokens import SigningKey, write_key_file

__all__ = ["AsJson", "Why", "identity_commands"]

PublicKeyFile = Annotated[Path, typer.Option(help="The public key, a JWK.")]
Why = Annotated[str, typer.Option(help="Why; it is kept beside the ledger.")]


_LISTED = ("principal", "status", "roles", "owner", "keys")


def identity_commands(kind: str, what: str) -> typer.Typer:
    """The commands of one kind of identity."""
    app = typer.Typer(help=what, no_args_is_help=True)
    # Whoever makes a worker's or a system's key has their own in the environment, and these start
    # by themselves: nobody would give them that.
    own = "PLACET_PASSPHRASE" if kind == "operator" else None

    @app.command("list")
    def list_(as_json: AsJson = False) -> None:
        """List them with their standing and their keys' thumbprints, as revoke-key takes them."""

        async def work() -> list[dict[str, object]]:
            async with operator_client() as client:
                return await client.identities(kind)

        with failures():
            show(run(work()), as_json=as_json, columns=_LISTED)

    @app.command()
    def key(
        file: Path,
        passphrase: Annotated[
            str | None, typer.Option(envvar=own, help="Protects the key.")
        ] = None,
    ) -> None:
        """Make a key file of mode 600, and print the public key as a JWK."""
        with failures():
            made = SigningKey.generate()
            write_key_file(file, made, passphrase)
            print(json.dumps(made.public.jwk()))

    @app.command()
    def enrol(
        name: str,
        public_key: Annotated[Path | None, typer.Option(help="The public key, a JWK.")] = None,
        role: Annotated[list[str] | None, typer.Option(help="A role; may be repeated.")] = None,
        owner: Annotated[str | None, typer.Option(help="Whose agent it is.")] = None,
        url: Annotated[str | None, typer.Option(help="A system's address.")] = None,
        code: Annotated[
            str | None, typer.Option(help="A one-time code: enrols you, with a new key.")
        ] = None,
        keyring: Annotated[
            bool, typer.Option(help="Keep the new key's passphrase in the system's keyring.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Enrol one with its public key (administrators), or yourself with a one-time code."""

        async def work(public_key: Path) -> ActAnswer:
            body = EnrolIdentity(
                jwk=dict(read_public_key(public_key).jwk()),
                roles=tuple(role or ()),
                owner=f"operator:{owner}" if owner else None,
                url=url,
            )
            async with operator_client() as client:
                return await client.act(f"{kind}.enrol", target, body)

        with failures():
            target = principal(kind, name)
            if kind == "operator" and code is not None and public_key is None:
                show(enrol_with_code(name, code, in_keyring=keyring), as_json=as_json)
            elif public_key is None or code is not None:
                raise fail("give --public-key, or, for yourself, --code", USAGE)
            else:
                show(run(work(public_key)), as_json=as_json)

    def change(verb: str, help_: str) -> None:
        @app.command(verb, help=help_)
        def change_(name: str, reason: Why, as_json: AsJson = False) -> None:
            async def work() -> ActAnswer:
                async with operator_client() as client:
                    return await client.act(f"{kind}.{verb}", target, Reason(reason=reason))

            with failures():
                target = principal(kind, name)
                show(run(work()), as_json=as_json)

    change("suspend", "Suspend one: no new grant from that instant, and its live ones end.")
    change("resume", "Let a suspended one go on.")
    change("offboard", "End one for good.")

    if kind == "operator":
        _people_commands(app)
        people_commands(app)

    @app.command("revoke-key", cls=TakesId)
    def revoke_key(thumbprint: str, reason: Why, as_json: AsJson = False) -> None:
        """Revoke one key for good, say a stolen one; its owner's live grants end."""

        async def work() -> ActAnswer:
            async with operator_client() as client:
                return await client.act("key.revoke", thumbprint, Reason(reason=reason))

        with failures():
            show(run(work()), as_json=as_json)

    return app


def _people_commands(app: typer.Typer) -> None:
    """What only people do: add a key of one's own, and change someone's roles."""

    @app.command("add-key")
    def add_key(public_key: PublicKeyFile, as_json: AsJson = False) -> None:
        """Add a key of your own, say for a second device; signed with the one you have."""

        async def work() -> ActAnswer:
            body = AddKey(jwk=dict(read_public_key(public_key).jwk()))
            async with operator_client() as client:
                return await client.act("key.add", client.operator, body)

        with failures():
            show(run(work()), as_json=as_json)

    @app.command()
    def roles(
        name: str,
        role: Annotated[list[str], typer.Option(help="All that they have from now on.")],
        as_json: AsJson = False,
    ) -> None:
        """Give an operator other roles (administrators)."""

        async def work() -> ActAnswer:
            async with operator_client() as client:
                body = SetRoles(roles=tuple(role))
                return await client.act("operator.roles", target, body)

        with failures():
            target = principal("operator", name)
            show(run(work()), as_json=as_json)
