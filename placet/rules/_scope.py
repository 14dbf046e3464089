"""Which records a case may touch: its subject, and what the signed process derives from it (I2).

A record's path is compared segment by segment, as it is spelled: nothing is decoded, folded or
normalised, so that no second spelling of a record reaches another one.
"""

import re
from collections.abc import Mapping, Sequence

from pydantic import JsonValue, TypeAdapter, ValidationError

from placet.model import ProcessDefinition, RecordId, Relation
from placet.rules._errors import MissingFact, OutOfScope

_RECORD: TypeAdapter[str] = TypeAdapter(RecordId)
_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")  # ASCII only; 18 digits, as no sequence gets there


def subject_variables(definition: ProcessDefinition, subject: str) -> dict[str, str]:
    """What the subject binds each variable of the process's subject template to.

    Raises:
        OutOfScope: the subject is not a record of the template's form.
    """
    bound = _match(definition.subject, subject)
    if bound is None:
        raise OutOfScope(f"the subject is not of the form {definition.subject} of this process")
    return bound


def needed_fact(relation: Relation) -> str | None:
    """The list fact that must be fetched before a record of this relation can be judged."""
    return relation.member_of


def require_in_scope(
    definition: ProcessDefinition,
    subject: str,
    relation: Relation,
    record: str,
    facts: Mapping[str, JsonValue],
) -> None:
    """Hold ``record`` against what ``relation`` derives from the case's subject.

    Args:
        definition: the signed process version under which the case was opened.
        subject: the case's subject.
        relation: the relation of the step that asks.
        record: the record asked for.
        facts: facts the authority fetched itself; a ``member_of`` relation needs its own.

    Raises:
        OutOfScope: the record is none of this relation's for this subject.
        MissingFact: the list fact that decides it is absent or not a list of strings.
    """
    bound = subject_variables(definition, subject)
    found = _match(relation.template, record)
    if found is None:
        raise OutOfScope(
            f"relation {relation.name}: the record is not of the form {relation.template}"
        )
    for variable, value in found.items():
        if variable in bound:
            if value != bound[variable]:
                raise OutOfScope(
                    f"relation {relation.name}: {variable} is not that of the case's subject"
                )
        elif relation.earlier_than is not None:
            _require_earlier(relation.name, variable, value, bound[relation.earlier_than])
        else:
            _require_member(relation, variable, value, facts)


def _match(template: str, record: str) -> dict[str, str] | None:
    """Bind the template's variables to the record's segments; ``None`` if it does not fit."""
    try:
        _RECORD.validate_python(record, strict=True)
    except ValidationError:
        return None
    wanted, segments = template.split("/"), record.split("/")
    if len(wanted) != len(segments):
        return None
    bound: dict[str, str] = {}
    for pattern, segment in zip(wanted, segments, strict=True):
        variable = _VARIABLE.fullmatch(pattern)
        expected = bound.setdefault(variable[1], segment) if variable else pattern
        if segment != expected:
            return None
    return bound


def _require_earlier(relation: str, variable: str, value: str, limit: str) -> None:
    for what, number in ((variable, value), ("the subject's number", limit)):
        if not _NUMBER.fullmatch(number):
            raise OutOfScope(
                f"relation {relation}: {what} must be a positive decimal number, "
                "without leading zeros"
            )
    if int(value) >= int(limit):
        raise OutOfScope(f"relation {relation}: {variable} must be below the subject's")


def _require_member(
    relation: Relation, variable: str, value: str, facts: Mapping[str, JsonValue]
) -> None:
    name = relation.member_of
    if name is None:  # the model lets no free variable be without a rule; a subclass might
        raise OutOfScope(f"relation {relation.name}: nothing says what {variable} may be")
    if value not in string_list(facts, name):
        raise OutOfScope(f"relation {relation.name}: {variable} is none of the subject's {name}")


def string_list(facts: Mapping[str, JsonValue], name: str) -> Sequence[str]:
    """The list fact of that name.

    Raises:
        MissingFact: absent, or not a list of strings.
    """
    fact = facts.get(name)
    if not isinstance(fact, list):
        raise MissingFact(name, "a list of strings")
    members = [member for member in fact if isinstance(member, str)]
    if len(members) != len(fact):
        raise MissingFact(name, "a list of strings")
    return members
