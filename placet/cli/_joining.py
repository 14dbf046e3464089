"""``placet agent invite`` and ``join``: how a worker gets an identity."""

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from placet.agent import NotHeard, NotJoined, join
from placet.cli._base import (
    AWAY,
    REFUSED,
    USAGE,
    AsJson,
    fail,
    failures,
    operator_client,
    read_text,
    run,
    show,
)
from placet.cli._named import principal
from placet.cli._settings import OperatorSettings, load_settings
from placet.model import ActAnswer, InviteAgent, JoinAs, first_error
from placet.tokens import SigningKey, invitation_key, read_key_file, write_key_file
from placet.transport import TlsSettings, Transport

Environment = Annotated[str, typer.Option(help="The environment it serves.")]
Queues = Annotated[list[str], typer.Option("--queue", help="A task queue; may be repeated.")]


def joining_commands(app: typer.Typer) -> None:
    """Inviting and joining."""

    @app.command()
    def invite(
        name: str,
        environment: Environment,
        queue: Queues,
        minutes: Annotated[int, typer.Option(help="How long the token is good.")] = 15,
        as_json: AsJson = False,
    ) -> None:
        """Let a worker join as this agent; prints a token that is good once."""
        token = secrets.token_urlsafe(32)

        async def work() -> ActAnswer:
            body = InviteAgent(
                environment=environment,
                task_queues=tuple(queue),
                invitation_key=invitation_key(target, token).thumbprint,
                minutes=minutes,
            )
            async with operator_client() as client:
                return await client.act("agent.invite", target, body)

        with failures():
            target = principal("agent", name)
            answer = run(work())
            shown = {"agent": name, "token": token, "status": answer.status}
            show(shown, as_json=as_json)

    @app.command("join")
    def join_(
        name: str,
        environment: Environment,
        queue: Queues,
        key_file: Annotated[Path, typer.Option(help="Where the worker's new key goes.")],
        instance: Annotated[str | None, typer.Option(help="Which of its workers this is.")] = None,
        token_file: Annotated[
            Path | None, typer.Option(help="The token's file; or set PLACET_JOIN_TOKEN.")
        ] = None,
        workload_token_file: Annotated[
            Path | None, typer.Option(help="The platform's own signed token, instead.")
        ] = None,
        token: Annotated[str | None, typer.Option(envvar="PLACET_JOIN_TOKEN", hidden=True)] = None,
        as_json: AsJson = False,
    ) -> None:
        """Make a key on this machine and join with it as an agent; run again, it goes on."""
        with failures():
            if token_file is not None:
                token = read_text(token_file).strip()
            vouched = read_text(workload_token_file).strip() if workload_token_file else None
            if (token is None) == (vouched is None):
                raise fail("give a join token, or --workload-token-file", USAGE)
            asked = JoinAs(
                agent=name, environment=environment, task_queues=tuple(queue), instance=instance
            )
            settings = load_settings(OperatorSettings)
            key = _key(key_file)
            try:
                joined = run(
                    join(
                        settings.issuer,
                        asked,
                        key,
                        datetime.now(UTC),
                        token=token,
                        attestation=vouched,
                        tls=Transport(TlsSettings()).client,
                    )
                )
            except ValidationError as error:
                member, said = first_error(error)
                raise fail(f"{workload_token_file or member}: {said}", USAGE) from None
            except NotJoined as error:
                raise fail(f"refused: {error}", REFUSED) from None
            except NotHeard as error:
                raise fail(f"{error}; run this again: the key in {key_file} stays", AWAY) from None
            show(json.loads(joined.model_dump_json()), as_json=as_json)


def _key(file: Path) -> SigningKey:
    """The worker's key: made now, or by the run before, whose answer got lost."""
    if not file.exists():
        write_key_file(file, SigningKey.generate())
    return read_key_file(file)
