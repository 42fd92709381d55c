"""What a person is told alone, apart from cards; the words are written where messages are written."""

from enum import StrEnum


class Notice(StrEnum):
    """Each is said once for the thing it is about, and where nothing is written down about that, once by a process."""

    NOT_IN_CHANNEL = "not_in_channel"
    """The card could not be posted where the command was typed; nothing was charged."""
    NO_CARD = "no_card"
    """Slack did not say whether the card stands, and does not let us look; nothing was ordered or charged."""
    CARD_REFUSED = "card_refused"
    """The card cannot be shown any more, over clips that were ordered; those go on, and cost what they cost."""
    DELIVERY_REFUSED = "delivery_refused"
    """The clip is ready and kept, but Slack does not let it into the thread."""
    OVER_CAP = "over_cap"
    """When the undo window was over, the money no longer fitted under a cap; nothing was charged."""
