"""The authority's signer: a process that keeps its private keys."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.world import until


@dataclass
class RunningSigner:
    """A signer that may be killed and started again on the same keys."""

    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "signer"

    @property
    def keys(self) -> list[Path]:
        """The files of its keys."""
        return sorted((self.folder / "keys").iterdir())

    async def start(self) -> None:
        """Start it and wait until it listens."""
        own = {
            "PLACET_SIGNER_SOCKET": str(self.socket),
            "PLACET_SIGNER_FOLDER": str(self.folder / "keys"),
            "PLACET_SIGNER_PASSPHRASE": "another passphrase for tests only",
        }
        self.socket.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "placet.cli", "authority", "signer"],
                env={**os.environ, **own},
                stderr=log,
            )

        async def look() -> bool:
            assert self.process is not None
            assert self.process.poll() is None
            return self.socket.exists()

        await until(look)

    def kill(self) -> None:
        """Kill it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
