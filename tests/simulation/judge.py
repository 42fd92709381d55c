"""What every judge of a life looks into."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.services.policy import Policy
from tests.simulation.people import Wanted
from tests.simulation.slack_books import SlackBooks
from tests.simulation.vendor_books import VendorBooks
from tests.simulation.world import World


@dataclass(frozen=True)
class Judge:
    """The books of the providers, by their names, of Slack and of the people; and what is meant to hold."""

    world: World
    vendors: Mapping[str, VendorBooks]
    slack: SlackBooks
    wanted: Wanted
    policy: Policy
