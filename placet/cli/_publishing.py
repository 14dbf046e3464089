"""Publishing what a process needs: looked at before the first act, and told where it ended.

1. (I12) What the authority would refuse of any act is refused before the first one is signed.
2. (I11) Each act may be sent again: what is published already is so again, which changes nothing.
   So whoever was interrupted publishes again, and all of it is done.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import typer
from pydantic import BaseModel

from placet.client import AuthorityError, OperatorClient
from placet.model import (
    ActAnswer,
    AuthorityMatrix,
    ProcessDefinition,
    PublishPolicy,
    digest_json,
)
from placet.rules import BadCalendar, load_policies, schedule_of


def bad_calendars(matrix: AuthorityMatrix, now: datetime) -> Iterator[str]:
    """The rules of a matrix whose time can't be counted, and why."""
    for rule in matrix.rules:
        try:
            schedule_of(matrix, rule, now)
        except BadCalendar as error:
            yield f"authority-matrix.json: {rule.checkpoint}: {error}"


class Plan:
    """What is to be published of a process, beside what is published already."""

    def __init__(
        self,
        published: Mapping[str, Any],
        definition: ProcessDefinition,
        matrix: AuthorityMatrix,
        policies: PublishPolicy,
    ) -> None:
        self.acts: Mapping[str, BaseModel] = {
            "process.publish": definition,
            "matrix.publish": matrix,
            "policy.publish": policies,
        }
        versions = [ProcessDefinition.model_validate_json(each) for each in published["processes"]]
        self._definitions = [each for each in versions if each.name == definition.name]
        matrices = [AuthorityMatrix.model_validate_json(each) for each in published["matrices"]]
        ours = [each for each in matrices if each.process == matrix.process]
        self._in_force = max(ours, key=lambda each: each.version, default=None)
        self._definition, self._matrix = definition, matrix
        current = {each["digest"] for each in published["policies"] if each["current"]}
        self._has_policies = (
            load_policies(policies.policies, policies.cedar_schema).digest in current
        )

    def refused(self, now: datetime) -> Iterator[str]:
        """Why the authority would refuse some of it."""
        wanted, matrix = self._definition, self._matrix
        taken = [each for each in self._definitions if each.version == wanted.version]
        if taken and not self._has(wanted, taken):
            yield (
                f"{wanted.name} version {wanted.version} is published already, and this one "
                f"differs in {_differing(wanted, taken[0])}: raise its version"
            )
        before = self._in_force
        if before is not None and before.version >= matrix.version and not _same(before, matrix):
            yield (
                f"authority-matrix.json: version {before.version} is in force; a new matrix has a "
                "higher version"
            )
        yield from bad_calendars(matrix, now)

    def standing(self) -> Iterator[str]:
        """What is published already, and what is not."""
        process, matrix = self._definition, self._matrix
        parts = (
            (f"process {process.name}, version {process.version}", self._has_definition),
            (f"its matrix, version {matrix.version}", self._has_matrix),
            ("these policies", self._has_policies),
        )
        for what, there in parts:
            yield f"{what}: {'published already' if there else 'not published yet'}"

    @property
    def _has_definition(self) -> bool:
        return self._has(self._definition, self._definitions)

    @property
    def _has_matrix(self) -> bool:
        return self._in_force is not None and _same(self._in_force, self._matrix)

    @staticmethod
    def _has(wanted: ProcessDefinition, among: Sequence[ProcessDefinition]) -> bool:
        return any(_same(each, wanted) for each in among)

    async def carry_out(self, client: OperatorClient) -> list[ActAnswer]:
        """Sign and send the acts, in order; who is interrupted is told how far it came."""
        done: list[ActAnswer] = []
        with _told_how_far(self.acts, done):
            for act, body in self.acts.items():
                done.append(await client.act(act, self._definition.name, body))
        return done


def _differing(one: ProcessDefinition, other: ProcessDefinition) -> str:
    """In what two definitions differ, by their members."""
    members = [
        name
        for name in ProcessDefinition.model_fields
        if getattr(one, name) != getattr(other, name)
    ]
    if members == ["code"]:
        return "its workflow's code alone, of which the base class is Placet's own"
    return ", ".join(members)


def _same(one: BaseModel, other: BaseModel) -> bool:
    return digest_json(one) == digest_json(other)


@contextmanager
def _told_how_far(acts: Mapping[str, BaseModel], done: Sequence[ActAnswer]) -> Iterator[None]:
    try:
        yield
    except (Exception, asyncio.CancelledError) as error:
        failed, *left = [*acts][len(done) :]
        refused = isinstance(error, AuthorityError) and error.status < 500
        if done or not refused:
            said = [f"{each.act}: {each.status}" for each in done]
            said.append(f"{failed}: {'refused' if refused else 'nobody knows whether it arrived'}")
            said += [f"{each}: not sent" for each in left]
            typer.echo(f"placet: {'; '.join(said)}. Publish again, and all of it is done", err=True)
        raise
