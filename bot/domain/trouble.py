"""What can hold a step up for a while, as words that a card explains. Each passes by itself or by a person's mending;
the step is tried again all the while."""

from enum import StrEnum


class Trouble(StrEnum):
    """Stored with the job while it lasts."""

    UNKNOWN_ORDER = "unknown_order"
    """The order may or may not have arrived; it is asked again under the same key, which cannot charge twice."""
    PROVIDER_UNREACHABLE = "provider_unreachable"
    PROVIDER_BUSY = "provider_busy"
    FILE_AWAY = "file_away"
    """A file of the ask cannot be had now from where it is."""
    FILE_NOT_CHECKED = "file_not_checked"
    """A file of the ask cannot be checked or kept now, for reasons of our own machine."""
    FILE_NOT_TAKEN = "file_not_taken"
    """The provider does not take a file of the ask now."""
    PROVIDER_ABSENT = "provider_absent"
    """The order stands at a provider that is not set up any more, so that nobody can be asked about it."""
    REACTIONS_UNREAD = "reactions_unread"
    """Slack does not say whose reactions still stand behind a final, or whether those people may spend."""
    NO_NEWS = "no_news"
    """Asked again, and nobody knows more about the order than before."""
    DOWNLOAD_FAILS = "download_fails"
    NOT_A_CLIP = "not_a_clip"
    """What came from the link is not a whole MP4."""
    TOO_LARGE = "too_large"
    """The clip is over the operator's limit, and is not fetched while it is."""
    STORE_FULL = "store_full"
    """Our own media store cannot take or give the bytes."""
    SLACK_AWAY = "slack_away"
    SLACK_REFUSES_PLACE = "slack_refuses_place"
    """Archived, removed from the channel, or no such channel."""
    SLACK_REFUSES_APP = "slack_refuses_app"
    """Our token or a scope is not accepted."""
    SLACK_DROPPED_FILE = "slack_dropped_file"


REFUSALS = frozenset({Trouble.SLACK_REFUSES_PLACE, Trouble.SLACK_REFUSES_APP})
"""These last until somebody mends something, which may take minutes or weeks."""
