"""Acts that publish the rules: policies, processes and authority matrices."""

from collections.abc import Mapping

from pydantic import JsonValue

from placet.authority._acts._act import (
    Act,
    Handler,
    body_of,
    require_role,
    write_entry,
)
from placet.authority._definitions import Definitions
from placet.authority._errors import Conflict, Invalid
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE, roles_of
from placet.authority._key_ages import change_key_ends
from placet.authority._store import (
    GovernanceRow,
    Identity,
    Matrix,
    PolicySet,
    ProcessVersion,
    Reader,
    Tx,
)
from placet.model import (
    ADMINISTRATOR,
    ActAnswer,
    AuthorityMatrix,
    Governance,
    ProcessDefinition,
    PublishPolicy,
    canonical_json,
    digest_json,
)
from placet.rules import BadCalendar, BadPolicies, load_policies, policy_changes, schedule_of


class PublishingActs:
    """Publishes what cases, grants and checkpoints are judged by."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {
            "policy.publish": self._publish_policy,
            "process.publish": self._publish_process,
            "matrix.publish": self._publish_matrix,
            "governance.publish": self._publish_governance,
        }

    def _publish_policy(self, tx: Tx, act: Act) -> ActAnswer:
        require_role(act, ADMINISTRATOR)
        body = body_of(act, PublishPolicy)
        try:
            loaded = load_policies(body.policies, body.cedar_schema)
        except BadPolicies as error:
            raise Invalid("invalid_request", f"policies: {error}") from None
        told: dict[str, JsonValue] = {"policy_digest": loaded.digest}
        for row in tx.all(PolicySet, PolicySet.current.is_(True)):  # type: ignore[attr-defined]  # a column on the class
            tx.change(PolicySet, row.digest, current=False)
            changes = policy_changes(
                (row.policies, row.policy_schema), (body.policies, body.cedar_schema)
            )
            told |= {"replaces": row.digest, "changes": changes.model_dump(mode="json")}
        entry = write_entry(tx, "policy.published", act, told)
        if tx.get(PolicySet, loaded.digest) is not None:
            tx.change(PolicySet, loaded.digest, current=True)
        else:
            tx.add(
                PolicySet(
                    digest=loaded.digest,
                    policies=body.policies,
                    policy_schema=body.cedar_schema,
                    published_at=tx.now,
                    published_by=act.actor,
                    current=True,
                    entry=entry,
                )
            )
        return ActAnswer(act=act.claims.act, target=act.claims.target, entry=entry)

    def _publish_process(self, tx: Tx, act: Act) -> ActAnswer:
        require_role(act, ADMINISTRATOR)
        definition = body_of(act, ProcessDefinition)
        digest = digest_json(definition)
        row = tx.get(ProcessVersion, (definition.name, definition.version))
        if row is not None and row.digest != digest:
            raise Conflict(
                f"{definition.name} version {definition.version} is published already, and this "
                "one differs: raise its version"
            )
        entry = write_entry(
            tx,
            "process.published",
            act,
            {
                "process": definition.name,
                "version": definition.version,
                "digest": digest,
                **({} if definition.code is None else {"code_digest": definition.code}),
            },
        )
        if row is None:
            tx.add(
                ProcessVersion(
                    name=definition.name,
                    version=definition.version,
                    digest=digest,
                    body_json=canonical_json(definition).decode(),
                    published_at=tx.now,
                )
            )
        return ActAnswer(act=act.claims.act, target=act.claims.target, entry=entry)

    def _publish_matrix(self, tx: Tx, act: Act) -> ActAnswer:
        require_role(act, ADMINISTRATOR)
        matrix = body_of(act, AuthorityMatrix)
        digest = digest_json(matrix)
        for rule in matrix.rules:
            try:
                schedule_of(matrix, rule, tx.now)
            except BadCalendar as error:
                raise Invalid("invalid_request", f"{rule.checkpoint}: {error}") from None
        found = self._definitions.matrix(tx, matrix.process)
        if found is not None and found[1].version >= matrix.version and found[0] != digest:
            raise Conflict(
                f"version {found[1].version} is in force; a new matrix has a higher version"
            )
        entry = write_entry(
            tx,
            "matrix.published",
            act,
            {"process": matrix.process, "version": matrix.version, "matrix_digest": digest},
        )
        if tx.get(Matrix, digest) is None:
            tx.add(
                Matrix(
                    digest=digest,
                    process=matrix.process,
                    version=matrix.version,
                    body_json=canonical_json(matrix).decode(),
                    published_at=tx.now,
                )
            )
        return ActAnswer(act=act.claims.act, target=act.claims.target, entry=entry)

    def _publish_governance(self, tx: Tx, act: Act) -> ActAnswer:
        require_role(act, ADMINISTRATOR)
        rules = body_of(act, Governance)
        before = governance(tx)
        if act.claims.target != "governance":
            raise Invalid("invalid_request", "target: must be governance")
        if rules.version <= before.version:
            raise Conflict(f"version {before.version} is in force; new rules have a higher version")
        if rules.signatures > len(_administrators(tx)):
            raise Conflict("two signatures need two active administrators; enrol the second first")
        entry = write_entry(
            tx,
            "governance.published",
            act,
            {
                "version": rules.version,
                "signatures": rules.signatures,
                "governance_digest": digest_json(rules),
            },
        )
        if rules.identities != before.identities:
            change_key_ends(tx, rules.identities)
        tx.add(
            GovernanceRow(
                version=rules.version,
                body_json=canonical_json(rules).decode(),
                published_at=tx.now,
                entry=entry,
            )
        )
        return ActAnswer(act=act.claims.act, target=act.claims.target, entry=entry)


def _administrators(reader: Reader) -> list[Identity]:
    """Those who are active."""
    active = reader.all(Identity, Identity.kind == "operator", Identity.status == ACTIVE)
    return [each for each in active if ADMINISTRATOR in roles_of(each)]
