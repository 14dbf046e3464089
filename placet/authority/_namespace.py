"""The namespace in Temporal: there, kept for long enough, and with the search attributes of cases.

It is looked at before the first case is started, and made where it is missing. What can't be made
is said in one sentence, with the command that mends it.
"""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from placet.authority._errors import Unavailable
from placet.authority._rpc import ask
from placet.model import SearchAttribute

_KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD


class NamespaceTrouble(Exception):
    """Temporal's namespace is not as cases need it; the message says what to do."""


async def prepare_namespace(client: Client, retention: timedelta) -> None:
    """Look at the namespace, and make what is missing.

    Raises:
        NamespaceTrouble: it is not as cases need it, and this client may not change that.
        Unavailable: Temporal does not answer.
    """
    try:
        if not await _kept_for(client, retention):
            await _register(client, retention)
        await _add_attributes(client)
    except RPCError as error:
        raise Unavailable(f"Temporal does not show its namespace: {error.message}") from error


async def _kept_for(client: Client, retention: timedelta) -> bool:
    """Whether there is such a namespace."""
    name = client.namespace
    try:
        found = await ask(
            client.workflow_service.describe_namespace, DescribeNamespaceRequest(namespace=name)
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    kept = found.config.workflow_execution_retention_ttl.ToTimedelta()
    if timedelta(0) < kept < retention:
        raise NamespaceTrouble(
            f"Temporal's namespace {name} keeps closed workflows for {_hours(kept)}, and "
            f"{_hours(retention)} are asked for; lengthen it: temporal operator namespace update "
            f"--namespace {name} --retention {_hours(retention)}"
        )
    return True


async def _register(client: Client, retention: timedelta) -> None:
    kept = Duration()
    kept.FromTimedelta(retention)
    request = RegisterNamespaceRequest(
        namespace=client.namespace,
        description="Placet's cases",
        workflow_execution_retention_period=kept,
    )
    try:
        await ask(client.workflow_service.register_namespace, request)
    except RPCError as error:
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            return  # another authority has made it meanwhile
        if error.status is not RPCStatusCode.PERMISSION_DENIED:
            raise
        raise NamespaceTrouble(
            f"Temporal has no namespace {client.namespace}, and this client may not make it: "
            f"temporal operator namespace create --namespace {client.namespace} "
            f"--retention {_hours(retention)}"
        ) from None


async def _add_attributes(client: Client) -> None:
    operator, namespace = client.operator_service, client.namespace
    names = [each.value for each in SearchAttribute]
    try:
        there = await ask(
            operator.list_search_attributes, ListSearchAttributesRequest(namespace=namespace)
        )
        for name in names:
            if there.custom_attributes.get(name, _KEYWORD) != _KEYWORD:
                raise NamespaceTrouble(
                    f"Temporal's namespace {namespace} has a search attribute {name} that is no "
                    "keyword; use a namespace where that name is free"
                )
        missing = {each: _KEYWORD for each in names if each not in there.custom_attributes}
        if missing:
            await ask(
                operator.add_search_attributes,
                AddSearchAttributesRequest(namespace=namespace, search_attributes=missing),
            )
    except RPCError as error:
        if error.status is not RPCStatusCode.PERMISSION_DENIED:
            raise
        told = " ".join(f"--name {each} --type Keyword" for each in names)
        raise NamespaceTrouble(
            "this client may not make the search attributes that cases are found by: "
            f"temporal operator search-attribute create --namespace {namespace} {told}"
        ) from None


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):g}h"
