"""What admins decided for a channel or for the whole workspace, beside what the operator set in the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

WHOLE_WORKSPACE = "workspace"
"""The subject of what holds in every channel that does not say otherwise. No channel's id is like it."""


@dataclass(frozen=True, kw_only=True)
class PreferencesVersion:
    """All the values of one subject as they stood after a change: names and texts as people type them."""

    workspace: str
    subject: str
    """A channel's id, or WHOLE_WORKSPACE."""
    version: int
    values: Mapping[str, str]
    changed_by: str | None
    """A Slack id; None from the operator's command line."""
    at: datetime
