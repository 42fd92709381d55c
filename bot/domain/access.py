"""Who may do what. One rule, asked before every action; what is not known about a person is never a yes.

Roles are worked out, not handed out: an *admin* is named in ``ADMIN_USERS``, in the workspace's settings, or is an
owner or admin of the Slack workspace; a *viewer* is denied, or a guest or a person of another organisation whom
nobody let in, or an app; everybody else is a *maker*.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person may do here: an admin everything, a maker spend, a viewer look."""

    ADMIN = "admin"
    MAKER = "maker"
    VIEWER = "viewer"


class Action(StrEnum):
    """What people do that is not everybody's."""

    SPEND = "spend"
    """Whatever may end in a charge: an ask, a promotion, a confirmation, ordering again."""
    STEER = "steer"
    """Stop, undo, give up or deliver somebody else's clip: the asker's own is always theirs."""
    CONFIGURE = "configure"
    """Change a channel's settings, caps, or who may."""


class Why(StrEnum):
    """Why somebody may not."""

    UNKNOWN = "unknown"
    """Slack did not say who this is: closed, and worth asking again."""
    GUEST = "guest"
    OUTSIDER = "outsider"
    """Of another organisation, or of another workspace."""
    APP = "app"
    GONE = "gone"
    """Deactivated in Slack."""
    PERSON_DENIED = "person_denied"
    PERSON_NOT_LISTED = "person_not_listed"
    CHANNEL_DENIED = "channel_denied"
    CHANNEL_NOT_LISTED = "channel_not_listed"
    NOT_ADMIN = "not_admin"


@dataclass(frozen=True, kw_only=True)
class Member:
    """What Slack says of a person (``users.info``)."""

    person: str
    admin: bool = False
    """An owner or admin of the workspace."""
    guest: bool = False
    """Single- or multi-channel guest."""
    outsider: bool = False
    """Of another organisation (Slack Connect), hence not of this workspace."""
    app: bool = False
    gone: bool = False


@dataclass(frozen=True, kw_only=True)
class AccessRules:
    """Lists of Slack ids. An empty allow list allows everybody that nothing else keeps out; deny wins."""

    admins: frozenset[str] = frozenset()
    channels_allow: frozenset[str] = frozenset()
    channels_deny: frozenset[str] = frozenset()
    people_allow: frozenset[str] = frozenset()
    people_deny: frozenset[str] = frozenset()
    guests_allow: frozenset[str] = frozenset()
    """Guests and people of other organisations who may spend all the same."""


def denial(action: Action, *, person: str, channel: str, member: Member | None, rules: AccessRules) -> Why | None:
    """Why the person may not do this in the channel; None when they may. ``member`` is None when Slack did not say."""
    if action is not Action.SPEND:
        return None if _is_admin(person, member, rules) else Why.UNKNOWN if member is None else Why.NOT_ADMIN
    # What the lists say needs no word of Slack's; an admin is bound by the channel's lists, not by those of people.
    if channel in rules.channels_deny:
        return Why.CHANNEL_DENIED
    if rules.channels_allow and channel not in rules.channels_allow:
        return Why.CHANNEL_NOT_LISTED
    if person in rules.people_deny:
        return Why.PERSON_DENIED
    if member is None:
        return Why.UNKNOWN
    return _of_person(member, rules)


def role(*, person: str, member: Member | None, rules: AccessRules) -> Role:
    """The person's role, whatever the channel."""
    if _is_admin(person, member, rules):
        return Role.ADMIN
    if member is None or person in rules.people_deny or _of_person(member, rules):
        return Role.VIEWER
    return Role.MAKER


def _is_admin(person: str, member: Member | None, rules: AccessRules) -> bool:
    if member is not None and (member.gone or member.app):
        return False
    return person in rules.admins or (member is not None and member.admin)


def _of_person(member: Member, rules: AccessRules) -> Why | None:
    if member.gone:
        return Why.GONE
    if member.app:
        return Why.APP
    if _is_admin(member.person, member, rules):
        return None
    if member.person not in rules.guests_allow:
        if member.outsider:
            return Why.OUTSIDER
        if member.guest:
            return Why.GUEST
    listed = rules.people_allow | rules.guests_allow
    if rules.people_allow and member.person not in listed:
        return Why.PERSON_NOT_LISTED
    return None
