"""Archives on disk while they are audited: however many there are, memory holds one."""

import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from placet.model import CaseArchive


class Spool(Mapping[str, CaseArchive]):
    """Archives by their case, in a folder that nobody else may read and that goes with this."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="placet-archives-"))  # mode 700
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._names: dict[str, Path] = {}

    def put(self, case: str, archive: CaseArchive) -> None:
        """Keep one."""
        path = self._folder / f"{len(self._names)}.json.z"
        path.write_bytes(zlib.compress(archive.model_dump_json().encode(), 1))
        self._names[case] = path

    def __getitem__(self, case: str) -> CaseArchive:
        return CaseArchive.model_validate_json(zlib.decompress(self._names[case].read_bytes()))

    def __contains__(self, case: object) -> bool:
        return case in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
