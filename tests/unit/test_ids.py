"""Identifiers: sortable by time, unguessable, safe everywhere."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SystemClock
from bot.domain.ids import new_id
from tests.support.clock import START

CROCKFORD = frozenset("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_an_id_of_known_bits() -> None:
    # 1,795,210,215,123 ms in base 32, then 80 random bits.
    assert new_id(START, lambda bits: 2**bits - 1) == "01M7XDVZPK" + "Z" * 16
    assert new_id(START, lambda bits: 0) == "01M7XDVZPK" + "0" * 16


@given(bits=st.integers(0, 2**80 - 1))
def test_an_id_is_26_plain_characters(bits: int) -> None:
    made = new_id(START, lambda _: bits)
    assert len(made) == 26
    assert set(made) <= CROCKFORD


@given(
    early=st.integers(0, 2**80 - 1), late=st.integers(0, 2**80 - 1), milliseconds=st.integers(1, 40 * 365 * 86_400_000)
)
def test_ids_sort_by_time_whatever_their_bits(early: int, late: int, milliseconds: int) -> None:
    later = START + timedelta(milliseconds=milliseconds)
    assert new_id(START, lambda _: early) < new_id(later, lambda _: late)


@given(one=st.integers(0, 2**80 - 1), other=st.integers(0, 2**80 - 1))
def test_all_80_bits_count(one: int, other: int) -> None:
    assert (new_id(START, lambda _: one) == new_id(START, lambda _: other)) is (one == other)


def test_the_real_clock_gives_fresh_ones() -> None:
    clock = SystemClock()
    made = {new_id(clock.now(), clock.random_bits) for _ in range(1000)}
    assert len(made) == 1000
