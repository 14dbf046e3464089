"""A worker makes its next key before the one that it has is old.

1. The next key is durable, in a file beside the key's, before the authority hears of it; and that
   file takes the key's place when the authority has taken it. Killed anywhere between, the worker
   finds the next key when it starts, and goes on (I11).
2. Steps under way keep the key that their grants are bound to; the earlier key counts for the
   overlap.
3. Workers that share a key file look after it one at a time, under a lock on its folder. One that
   finds another key there takes it as its own once the authority knows it: a second next key in a
   key's place would be refused as stolen, and stand in the way of every later one.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import aiohttp
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from placet.agent._config import AgentConfig
from placet.agent._link import AuthorityLink
from placet.kill import kill_point
from placet.model import KeyStanding, RotateKey, RotationClaims
from placet.telemetry import metrics
from placet.tokens import (
    KeyFileError,
    SigningKey,
    numeric_date,
    read_key_file,
    sign_rotation,
    write_key_file,
)

_LOOK_AGAIN = 3600.0
"""Seconds after which the authority is asked at the latest: the rules may have changed."""

_TRY_AGAIN = 60.0

_ANOTHER_LOOKS = 1.0
"""Seconds after which it is looked at again what another worker looks after now."""

_log = logging.getLogger("placet.agent")


def next_file(key_file: Path) -> Path:
    """Where a worker's next key is kept until the authority has taken it."""
    return key_file.with_name(key_file.name + ".next")


@contextlib.contextmanager
def _alone(key_file: Path) -> Iterator[bool]:
    """Whether no other worker looks after the keys of this folder, nor will meanwhile."""
    folder = os.open(key_file.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        yield alone
    finally:
        os.close(folder)


class Rotation:
    """Looks after the key of one worker."""

    def __init__(
        self,
        config: AgentConfig,
        session: aiohttp.ClientSession,
        clock: Callable[[], datetime],
        adopt: Callable[[AgentConfig], None],
    ) -> None:
        self._config = config
        self._session = session
        self._clock = clock
        self._adopt = adopt

    async def run(self) -> None:
        """Replace the key whenever it is time, for as long as the worker runs."""
        while True:
            try:
                pause = await self.look()
            except ApplicationError as error:
                _log.warning("the worker's key could not be looked after: %s", error.message)
                pause = _TRY_AGAIN
            except (KeyFileError, OSError) as error:
                _log.error("the worker's next key could not be kept: %s", error)
                pause = _TRY_AGAIN
            await asyncio.sleep(pause)

    async def look(self) -> float:
        """Replace the key if it is time; seconds until it is to be looked at again.

        Raises:
            ApplicationError: the authority refused, or is away.
            KeyFileError: a key file can't be read or written.
            OSError: the next key's can't take the place of the key's.
        """
        key_file = self._config.key_file
        if key_file is None:
            return _LOOK_AGAIN
        with _alone(key_file) as alone:
            return await self._look(key_file) if alone else _ANOTHER_LOOKS

    async def _look(self, key_file: Path) -> float:
        kept = self._kept(key_file)
        if kept.thumbprint != self._config.key.thumbprint:
            another = replace(self._config, key=kept)
            await self._standing(another)
            self._go_on_with(another)
        following = next_file(key_file)
        if not following.exists():
            left = await self._left()
            if left > 0:
                return min(left, _LOOK_AGAIN)
            write_key_file(following, SigningKey.generate())
        kill_point("rotation.before-asking")
        await self._take(read_key_file(following))
        kill_point("rotation.before-keeping")
        following.replace(key_file)
        self._go_on_with(replace(self._config, key=read_key_file(key_file)))
        return _TRY_AGAIN

    async def _left(self) -> float:
        """Seconds until the key is to be replaced; for how long it should have been is told."""
        standing = await self._standing(self._config)
        left = (standing.rotate_at - self._clock()).total_seconds()
        metrics.KEY_OVERDUE.set(max(0.0, -left))
        return left

    def _kept(self, key_file: Path) -> SigningKey:
        return read_key_file(key_file) if key_file.exists() else self._config.key

    def _go_on_with(self, config: AgentConfig) -> None:
        self._config = config
        metrics.KEY_OVERDUE.set(0)
        self._adopt(config)

    async def _take(self, key: SigningKey) -> None:
        """Let the authority take a key in this one's place, if it has not yet."""
        following = replace(self._config, key=key)
        asked = AuthorityLink(self._config, self._session, self._clock)
        body = RotateKey(client_assertion=asked.assertion(), rotation=self._name(key))
        try:
            await AuthorityLink(following, self._session, self._clock).send(
                "POST", "/v1/keys", body
            )
        except ApplicationError as refused:
            try:  # a worker before this one may have been killed when it had asked
                await self._standing(following)
            except ApplicationError:
                raise refused from None

    def _name(self, key: SigningKey) -> str:
        """Sign that a key is the next."""
        claims = RotationClaims(
            iss=self._config.client_id,
            aud=self._config.issuer,
            iat=numeric_date(self._clock()),
            sub=key.thumbprint,
        )
        return sign_rotation(claims, self._config.key)

    async def _standing(self, config: AgentConfig) -> KeyStanding:
        link = AuthorityLink(config, self._session, self._clock)
        answer = await link.send("GET", "/v1/keys/mine", None)
        try:
            return KeyStanding.model_validate_json(answer)
        except ValidationError:
            raise ApplicationError("the authority answered a key's standing in a wrong form") from (
                None
            )
