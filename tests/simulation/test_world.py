"""What the judges of a life know of its clock and of who had an order in hand."""

from datetime import timedelta

from bot.domain.recipe import Resolution
from tests.simulation.loop import VirtualLoop
from tests.simulation.vendor_books import Kind, VendorBooks
from tests.simulation.world import Span, World

HOUR = 3600.0
DECADE = timedelta(days=3650)


def lived(*steps: tuple[float, timedelta], until: float = 10 * HOUR) -> World:
    """A world whose wall clock was set at those moments, as it is at the end."""
    loop = VirtualLoop()
    world = World(1, loop, heals_at=0.0)
    for at, step in steps:
        loop.leap(at - loop.time())
        world.set_clock(step)
    loop.leap(until - loop.time())
    loop.close()
    return world


def test_a_reading_of_the_clock_tells_when_it_was_taken_also_before_the_clock_was_set_back() -> None:
    world = lived((100.0, timedelta(hours=-1)))
    assert world.first_read(world.moment(90.0)) == 90.0
    assert world.first_read(world.moment(200.0) - timedelta(hours=1)) == 200.0


def test_what_the_clock_never_said_excuses_nothing() -> None:
    world = lived((100.0, timedelta(hours=1)))
    assert world.first_read(world.moment(100.0) + timedelta(minutes=30)) == world.now
    assert world.set_back_since(world.now) == 0.0


def test_what_began_under_a_clock_far_behind_is_too_old_for_whoever_began_after_it_was_set_right() -> None:
    world = lived((10.0, -DECADE), (20.0, DECADE))
    world.up += [Span(0.0, 30.0)]
    assert world.aged_at_a_start(15.0) == 0.0, "nobody began later"
    world.up += [Span(40.0, 50.0)]
    assert world.aged_at_a_start(15.0) == DECADE.total_seconds()
    assert world.aged_at_a_start(5.0) == 0.0, "the clock was right by then"


def test_an_order_is_sent_by_whoever_sends_it_and_put_together_when_it_was() -> None:
    world = lived(until=1.0)
    books = VendorBooks(world, "alpha", Kind.KEYS, {Resolution.P480: 80_000})
    books.prepared("clip-1", 1)
    books.sent("clip-1", 2)
    (sending,) = books.sendings["clip-1"]
    assert (sending.process, sending.anew, sending.sent_at) == (2, True, world.now)
