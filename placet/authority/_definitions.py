"""Published processes, matrices and policies, parsed once per version.

Versions never change once published, so what was parsed is kept by digest for good. Which is
current is read in each transaction.
"""

from placet.authority._errors import Unavailable
from placet.authority._store import Matrix, PolicySet, ProcessVersion, Reader
from placet.model import AuthorityMatrix, ProcessDefinition
from placet.rules import LoadedPolicies, load_policies


class Definitions:
    """A cache of what was published."""

    def __init__(self) -> None:
        self._processes: dict[tuple[str, int], ProcessDefinition] = {}
        self._matrices: dict[str, AuthorityMatrix] = {}
        self._policies: dict[str, LoadedPolicies] = {}

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

    def newest_process(self, reader: Reader, name: str) -> ProcessDefinition | None:
        """The newest version of a process, or ``None``."""
        row = reader.first(
            ProcessVersion,
            ProcessVersion.name == name,
            order_by=[ProcessVersion.version.desc()],  # type: ignore[attr-defined]  # a column on the class
        )
        return None if row is None else self.process(reader, name, row.version)

    def matrix(self, reader: Reader, process: str) -> tuple[str, AuthorityMatrix] | None:
        """The matrix in force for a process with its digest, or ``None``."""
        row = reader.first(
            Matrix,
            Matrix.process == process,
            order_by=[Matrix.version.desc()],  # type: ignore[attr-defined]  # a column on the class
        )
        if row is None:
            return None
        found = self._matrices.get(row.digest)
        if found is None:
            found = AuthorityMatrix.model_validate_json(row.body_json)
            self._matrices[row.digest] = found
        return row.digest, found

    def policies(self, reader: Reader) -> LoadedPolicies:
        """The current policy set.

        Raises:
            Unavailable: none was published yet; nothing can be permitted.
        """
        row = reader.first(PolicySet, PolicySet.current.is_(True))  # type: ignore[attr-defined]  # a column on the class
        if row is None:
            raise Unavailable("no policies are published; publish them first")
        found = self._policies.get(row.digest)
        if found is None:
            found = load_policies(row.policies, row.policy_schema)
            self._policies[row.digest] = found
        return found
