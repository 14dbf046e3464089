"""Published processes, matrices and policies, parsed once per version.

Versions never change once published, so what was parsed is kept by digest for good. Which is
current is read in each transaction. Nor does it change of which process a case is, and about what.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, select

from placet.authority._errors import Unavailable
from placet.authority._store import Case, Matrix, PolicySet, ProcessVersion, Reader, table_of
from placet.model import AuthorityMatrix, Digest, ProcessDefinition
from placet.rules import LoadedPolicies, load_policies

_CASE, _MATRIX, _POLICIES = table_of(Case), table_of(Matrix), table_of(PolicySet)
_KIND = select(_CASE.c.process, _CASE.c.version, _CASE.c.subject).where(
    _CASE.c.id == bindparam("case")
)
_MATRIX_IN_FORCE = (
    select(_MATRIX.c.digest)
    .where(_MATRIX.c.process == bindparam("process"))
    .order_by(_MATRIX.c.version.desc())
    .limit(1)
)
_VERSION = table_of(ProcessVersion)
_VERSIONS = select(_VERSION.c.version).where(_VERSION.c.name == bindparam("process"))
_CURRENT_POLICIES = select(_POLICIES.c.digest).where(_POLICIES.c.current)

MAX_KINDS = 10_000
"""Cases whose kind is kept: some 5 MB."""


@dataclass(frozen=True)
class Kind:
    """What a case is of, from its opening to its end."""

    definition: ProcessDefinition
    subject: str


class Definitions:
    """A cache of what was published."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}
        self._processes: dict[tuple[str, int], ProcessDefinition] = {}
        self._matrices: dict[str, AuthorityMatrix] = {}
        self._policies: dict[str, LoadedPolicies] = {}
        self._last_matrices: dict[str, AuthorityMatrix] = {}
        self._last_policies: LoadedPolicies | None = None

    def process(self, reader: Reader, name: str, version: int) -> ProcessDefinition:
        """The definition of one version of a process.

        Raises:
            KeyError: it was never published.
        """
        found = self._processes.get((name, version))
        if found is None:
            row = reader.get(ProcessVersion, (name, version))
            if row is None:
                raise KeyError(f"process {name} version {version}")
            found = ProcessDefinition.model_validate_json(row.body_json)
            self._processes[name, version] = found
        return found

    def known_kind(self, case: str) -> Kind | None:
        """What a case is of, if that was read before."""
        return self._kinds.get(case)

    def kind(self, reader: Reader, case: str) -> Kind | None:
        """What a case is of, or ``None`` if there is no such case."""
        found = self._kinds.get(case)
        if found is None:
            row = reader.one(_KIND, {"case": case})
            if row is None:
                return None
            found = Kind(self.process(reader, row.process, row.version), row.subject)
            if len(self._kinds) >= MAX_KINDS:
                self._kinds.clear()
            self._kinds[case] = found
        return found

    def newest_process(self, reader: Reader, name: str) -> ProcessDefinition | None:
        """The newest version of a process, or ``None``."""
        row = reader.first(
            ProcessVersion,
            ProcessVersion.name == name,
            order_by=[ProcessVersion.version.desc()],  # type: ignore[attr-defined]  # a column on the class
        )
        return None if row is None else self.process(reader, name, row.version)

    def published_code(self, reader: Reader, name: str) -> frozenset[Digest]:
        """The workflow code that versions of a process pin; none where one says nothing of it."""
        rows = reader.fetch(_VERSIONS, {"process": name})
        pinned = {self.process(reader, name, row.version).code for row in rows}
        return frozenset() if None in pinned else frozenset(code for code in pinned if code)

    def matrix(self, reader: Reader, process: str) -> tuple[str, AuthorityMatrix] | None:
        """The matrix in force for a process with its digest, or ``None``."""
        newest = reader.one(_MATRIX_IN_FORCE, {"process": process})
        if newest is None:
            return None
        digest = newest.digest
        found = self._matrices.get(digest)
        if found is None:
            row = reader.get(Matrix, digest)
            assert row is not None
            found = self._matrices[digest] = AuthorityMatrix.model_validate_json(row.body_json)
        self._last_matrices[process] = found
        return digest, found

    def policies(self, reader: Reader) -> LoadedPolicies:
        """The current policy set.

        Raises:
            Unavailable: none was published yet; nothing can be permitted.
        """
        current = reader.one(_CURRENT_POLICIES)
        if current is None:
            raise Unavailable("no policies are published; publish them first")
        digest = current.digest
        found = self._policies.get(digest)
        if found is None:
            row = reader.get(PolicySet, digest)
            assert row is not None
            found = self._policies[digest] = load_policies(row.policies, row.policy_schema)
        self._last_policies = found
        return found

    def last_in_force(self, process: str) -> tuple[AuthorityMatrix, LoadedPolicies] | None:
        """What was in force when that was last read: good for guessing, and for nothing else."""
        matrix, policies = self._last_matrices.get(process), self._last_policies
        return None if matrix is None or policies is None else (matrix, policies)
