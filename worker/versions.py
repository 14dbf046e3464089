"""Versions of the workflow code: a case that was begun on one finishes on it.

Temporal gives each workflow task of a case to workers of the version that took its first one
(Worker Deployment Versioning, pinned). So the workflow code may change in any way while cases are
open, as long as a worker of the old version runs until the last of them has closed.
"""

from collections.abc import Iterable

from pydantic import JsonValue
from temporalio.common import VersioningBehavior
from temporalio.worker import WorkerDeploymentConfig, WorkerDeploymentVersion

from placet.model import digest_json
from placet.process import Process, code_digest

_SHORT = 16


def build_of(processes: Iterable[Process]) -> str:
    """The build id of the workflow code that is installed: the same code has the same."""
    codes: dict[str, JsonValue] = {
        each.definition.name: code_digest(each.workflow) for each in processes
    }
    return digest_json(codes).removeprefix("sha-256:")[:_SHORT].replace("_", "-")


def pinned(deployment: str, build: str) -> WorkerDeploymentConfig:
    """How a worker that runs workflow code says of which version it is."""
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=deployment, build_id=build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )
