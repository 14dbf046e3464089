"""I10: whoever follows the store hears of every commit, whoever made it and whenever it is told."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from placet.authority._store._topics import Topics

TOPIC = "revocations"
OWN, OTHER, TELL, LOOK, HEAR = "own", "other", "tell", "look", "hear"


@settings(max_examples=1000)
@given(st.lists(st.sampled_from([OWN, OTHER, TELL, LOOK, HEAR]), min_size=6, max_size=30))
def test_no_order_of_telling_loses_a_commit(steps: list[str]) -> None:
    """I10: own commits are told late, looks are late too: a number seen before is then too low."""
    topics = Topics()
    commits, untold, look = 0, list[int](), 0
    seen: list[int] = []
    for step in steps:
        if step in (OWN, OTHER):
            seen.append(topics.number(TOPIC))
            commits += 1
        if step == OWN:
            untold.append(commits)
        elif step == TELL and untold:
            topics.hear_own(untold.pop(0), [TOPIC])
        elif step == LOOK:
            look = commits
        elif step == HEAR:
            topics.hear(look)
    for own in untold:
        topics.hear_own(own, [TOPIC])
    topics.hear(commits)

    assert all(topics.number(TOPIC) > number for number in seen)


async def test_quiet_store_wakes_nobody() -> None:
    topics = Topics()
    topics.start(7)
    topics.hear(7)
    assert not await topics.changed(TOPIC, 0, timeout=0)
    topics.hear_own(8, ["outbox"])
    topics.hear(8)
    assert not await topics.changed(TOPIC, 0, timeout=0)


async def test_waiting_follower_is_woken_by_another_processs_commit_between_own_ones() -> None:
    topics = Topics()
    waiting = asyncio.create_task(topics.changed(TOPIC, 0, timeout=60))
    await asyncio.sleep(0)  # lets it begin to wait
    for own in (1, 3):
        topics.hear_own(own, ["outbox"])
    topics.hear(3)
    assert await waiting
