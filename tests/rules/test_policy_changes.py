"""What a new set of policies changes is told by the ids of its policies."""

from placet.rules import PolicyChanges, policy_changes

SCHEMA = "namespace Placet { }"
ONE = '@id("one") permit (principal, action, resource);'
TWO = '@id("two") forbid (principal, action, resource) when { 1 == 2 };'


def changes(before: str, after: str) -> PolicyChanges:
    return policy_changes((before, SCHEMA), (after, SCHEMA))


def test_each_kind_of_change_is_told_by_its_id() -> None:
    assert changes(ONE, ONE + TWO) == PolicyChanges(added=("two",))
    assert changes(ONE + TWO, ONE) == PolicyChanges(removed=("two",))
    assert changes(ONE + TWO, ONE + TWO.replace("1 == 2", "1 == 3")) == PolicyChanges(
        changed=("two",)
    )
    assert changes(ONE, ONE.replace("permit", "forbid")) == PolicyChanges(changed=("one",))
    other = policy_changes((ONE, SCHEMA), (ONE, SCHEMA + "\n"))
    assert other == PolicyChanges(schema_changed=True)


def test_a_policy_that_moved_or_got_a_comment_is_the_same() -> None:
    assert changes(ONE + TWO, f"// two first\n{TWO}\n\n{ONE}") == PolicyChanges()
