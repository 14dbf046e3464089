"""Token buckets: what each may do at once, and again later; nobody's use is another's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.transport import Buckets, seconds_to_wait


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    buckets = Buckets(rate=2, burst=4)
    assert [buckets.take("a", 0) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert buckets.take("b", 0) == 0
    assert buckets.take("a", 0.5) == 0
    assert buckets.take("a", 0.5) == 0.5
    assert buckets.take("a", 100) == 0


def test_no_rate_is_no_limit() -> None:
    buckets = Buckets(rate=0, burst=0)
    assert [buckets.take("a", 0) for _ in range(1000)] == [0] * 1000
    buckets.charge("a", 0, 10**9)
    assert (buckets.lacks("a", 0), len(buckets)) == (0, 0)


def test_memory_is_bounded() -> None:
    """I12: who was not heard of for longest is forgotten first."""
    buckets = Buckets(rate=1, burst=1, most=3)
    for key in "abcd":
        assert buckets.take(key, 0) == 0
    assert len(buckets) == 3
    assert buckets.take("d", 0) > 0
    assert buckets.take("a", 0) == 0


@given(
    st.lists(st.tuples(st.floats(-1, 3), st.floats(0.1, 5), st.booleans()), max_size=60),
    st.floats(0.5, 20),
    st.floats(1, 50),
)
def test_no_pattern_of_asking_gets_more(
    asked: list[tuple[float, float, bool]], rate: float, burst: float
) -> None:
    """Whatever is asked when, and though the clock goes back: the burst and the rate, no more."""
    buckets, now, latest, got = Buckets(rate, burst), 0.0, 0.0, 0.0
    gone = 0.0
    for step, cost, forced in asked:
        now += step
        gone += max(0.0, step)
        latest = max(latest, now)
        if forced:
            buckets.charge("a", now, cost)
        elif buckets.take("a", now, cost) == 0:
            got += cost
        assert got <= burst + gone * rate + 1e-6
        assert 0 <= buckets.lacks("a", now) <= 1 / rate + 1e-9


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("3601", 3600),
        ("9" * 5000, 3600),
        ("", None),
        ("-1", None),
        ("\u0667", None),
    ],
)
def test_whatever_is_told_is_a_wait_that_somebody_can_keep(told: str, seconds: int | None) -> None:
    """I12: thousands of digits come from no authority, and are an hour."""
    assert seconds_to_wait(told) == seconds
