"""Which providers take orders, as a process sees it: pauses, probes, runs, and how long each asked to be left alone."""

import pytest

from bot.domain.failure import Failure, FailureKind
from bot.domain.patience import CREDIT_PROBE
from bot.services.circuit import DOUBTS, RUN, Circuit, Lane
from tests.support.clock import SettableClock

PROBE = CREDIT_PROBE.total_seconds()
BROKE = Failure(kind=FailureKind.OUT_OF_CREDIT)
REFUSED = Failure(kind=FailureKind.KEY_REFUSED)
DOWN = Failure(kind=FailureKind.PROVIDER, detail="HTTP 502")
PLACE = ("T1", "C1")


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def circuit(clock: SettableClock) -> Circuit:
    return Circuit(clock)


def test_a_pause_is_news_once(circuit: Circuit) -> None:
    assert circuit.refused("hiapi", BROKE) is True
    assert circuit.refused("hiapi", BROKE) is False
    assert circuit.refused("muapi", BROKE) is True


def test_a_paused_provider_gets_no_orders_and_is_not_healthy(circuit: Circuit) -> None:
    assert circuit.paused("hiapi", "01A") is None
    circuit.refused("hiapi", REFUSED)
    assert circuit.paused("hiapi", "01A") == REFUSED
    assert circuit.paused("muapi", "01A") is None
    assert [circuit.healthy(name) for name in ("hiapi", "muapi")] == [False, True]


def test_one_job_at_a_time_probes_a_paused_provider(circuit: Circuit, clock: SettableClock) -> None:
    circuit.refused("hiapi", BROKE)
    assert not circuit.may_probe("hiapi", "01A")
    clock.advance(PROBE - 0.1)
    assert not circuit.may_probe("hiapi", "01A")
    clock.advance(0.1)
    assert circuit.may_probe("hiapi", "01B")
    assert not circuit.may_probe("hiapi", "01A"), "another one is trying"
    assert circuit.paused("hiapi", "01B") is None, "the prober may order"
    assert circuit.paused("hiapi", "01A") == BROKE


def test_a_prober_that_is_never_heard_of_again_is_followed_by_another(circuit: Circuit, clock: SettableClock) -> None:
    circuit.refused("hiapi", BROKE)
    clock.advance(PROBE)
    assert circuit.may_probe("hiapi", "01B")
    clock.advance(PROBE)
    assert circuit.may_probe("hiapi", "01A")
    assert circuit.paused("hiapi", "01B") == BROKE


def test_a_refused_probe_prolongs_the_pause_which_began_when_it_began(circuit: Circuit, clock: SettableClock) -> None:
    circuit.refused("hiapi", BROKE)
    began = clock.now()
    clock.advance(PROBE)
    assert circuit.may_probe("hiapi", "01A")
    circuit.refused("hiapi", REFUSED)
    assert circuit.paused("hiapi", "01A") == REFUSED
    assert not circuit.may_probe("hiapi", "01A")
    pause = circuit.pause("hiapi")
    assert pause is not None
    assert pause.since == began


def test_an_order_that_goes_through_ends_the_pause_for_all(circuit: Circuit, clock: SettableClock) -> None:
    assert circuit.accepted("hiapi", clock.now()) is None
    circuit.refused("hiapi", BROKE)
    pause = circuit.accepted("hiapi", clock.now())
    assert pause is not None
    assert pause.failure == BROKE
    assert circuit.paused("hiapi", "01A") is None
    assert circuit.may_probe("hiapi", "01A")
    assert circuit.may_probe("hiapi", "01B")
    assert circuit.refused("hiapi", BROKE) is True


def test_a_run_of_orders_without_an_answer_pauses_and_one_answer_ends_the_run(circuit: Circuit) -> None:
    for _ in range(RUN - 1):
        assert circuit.stumbled("hiapi", "HTTP 502") is False
    circuit.answered("hiapi")
    outcomes = [circuit.stumbled("hiapi", "HTTP 502") for _ in range(RUN)]
    assert outcomes == [False] * (RUN - 1) + [True]
    failure = circuit.paused("hiapi", "01A")
    assert failure == Failure(kind=FailureKind.PROVIDER, detail="HTTP 502")
    assert circuit.stumbled("hiapi", "HTTP 502") is False, "it is paused already"
    assert circuit.healthy("muapi")


def test_what_waited_before_a_restart_brings_the_pause_back_and_may_be_tried_at_once(
    circuit: Circuit, clock: SettableClock
) -> None:
    circuit.remember("hiapi", BROKE, PLACE)
    assert circuit.paused("hiapi", "01A") == BROKE
    assert circuit.may_probe("hiapi", "01A")
    circuit.remember("hiapi", BROKE, ("T1", "C2"))
    assert not circuit.may_probe("hiapi", "01B"), "one at a time"
    pause = circuit.accepted("hiapi", clock.now())
    assert pause is not None
    assert pause.told == {PLACE, ("T1", "C2")}
    circuit.remember("hiapi", BROKE, PLACE)
    assert circuit.healthy("hiapi"), "what this process saw itself counts more"


def test_a_wait_that_a_provider_asked_for_holds_for_the_key_and_for_that_kind_of_request(
    circuit: Circuit, clock: SettableClock
) -> None:
    circuit.slow("hiapi", Lane.ORDERS, 30)
    circuit.slow("hiapi", Lane.ORDERS, 5)
    assert circuit.wait("hiapi", Lane.ORDERS) == 30
    assert circuit.wait("hiapi", Lane.LOOKS) == 0
    assert circuit.wait("muapi", Lane.ORDERS) == 0
    clock.advance(31)
    assert circuit.wait("hiapi", Lane.ORDERS) == 0


def test_an_order_from_before_the_pause_does_not_end_it(circuit: Circuit, clock: SettableClock) -> None:
    """As an account runs empty some orders are refused while others, sent a little earlier, go through."""
    sent_at = clock.now()
    clock.advance(1)
    circuit.refused("hiapi", BROKE)
    assert circuit.accepted("hiapi", sent_at) is None
    assert circuit.paused("hiapi", "01A") == BROKE
    assert circuit.accepted("hiapi", clock.now()) is not None


def test_a_pause_that_nobody_waits_for_is_tried_by_whoever_comes(circuit: Circuit, clock: SettableClock) -> None:
    """All its clips went elsewhere: without this it would be passed over until the next start."""
    circuit.refused("hiapi", BROKE)
    clock.advance(2 * PROBE - 0.1)
    assert not circuit.healthy("hiapi")
    clock.advance(0.1)
    assert circuit.healthy("hiapi")
    assert circuit.paused("hiapi", "01A") == BROKE
    assert circuit.may_probe("hiapi", "01A")
    assert not circuit.healthy("hiapi"), "one at a time"


def test_any_answer_to_an_order_lets_the_next_be_tried_at_once_where_answers_were_missing(
    circuit: Circuit, clock: SettableClock
) -> None:
    for name, failure in {"hiapi": DOWN, "muapi": BROKE}.items():
        circuit.refused(name, failure)
        clock.advance(1)
        circuit.answered(name)
    assert [circuit.may_probe(name, "01A") for name in ("hiapi", "muapi")] == [True, False]


def test_a_provider_that_answers_nothing_is_sent_an_order_now_and_then_all_the_same(circuit: Circuit) -> None:
    assert circuit.silent("hiapi", DOWN) is False, "it is not paused"
    circuit.refused("hiapi", DOWN)
    assert [circuit.silent("hiapi", DOWN) for _ in range(2 * DOUBTS)] == ([True] * (DOUBTS - 1) + [False]) * 2
    assert circuit.silent("hiapi", BROKE)
    assert circuit.paused("hiapi", "01A") == BROKE
