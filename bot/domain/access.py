"""Who may do what. One rule, asked before every action; what is not known about a person is never a yes.

Roles are worked out, not handed out: an *admin* is named in ``ADMIN_USERS``, in the workspace's settings, or is an
owner or admin of the Slack workspace; a *viewer* is denied, or a guest or a person of another organisation whom
nobody let in, or an app; everybody else is a *maker*.

Where two things that are said of somebody meet:

- Whom Slack does not know, or will not tell us of, is nobody: also a person who is named as an admin.
- Apps and deactivated accounts may nothing, whatever list they stand in.
- A guest or a stranger who is *named* as an admin is one: somebody meant that very person. Being an owner or admin
  counts only in our own workspace: strangers are that at home.
- A denied admin does not spend, and steers and configures all the same: denying is about money, and an admin could
  undo it anyhow. No list of people keeps an admin out otherwise.
- The lists of channels bind everybody, admins too; they are about spending, so that what runs in a channel that was
  closed since can still be stopped there.
- ``guests_allow`` lets its people in past ``people_allow`` too; ``people_allow`` lets no guest and no stranger in.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person may do here: an admin everything, a maker spend, a viewer look."""

    ADMIN = "admin"
    MAKER = "maker"
    VIEWER = "viewer"


class Action(StrEnum):
    """What people do. Undoing, cancelling and giving up one's own ask is always allowed: it stops money."""

    LOOK = "look"
    """See a price, the figures, the settings: everybody's, and nobody is looked up for it."""
    SPEND = "spend"
    """Whatever may end in a charge: an ask, a promotion, a confirmation, ordering again. Who may spend in a channel may
    also have a clip of it delivered, or an order looked after, which costs nothing."""
    STEER = "steer"
    """Stop, undo or give up what somebody else asked for."""
    CONFIGURE = "configure"
    """Change a channel's settings, caps, or who may."""


class Why(StrEnum):
    """Why somebody may not."""

    UNKNOWN = "unknown"
    """Slack did not say who this is: closed, and worth asking again."""
    GUEST = "guest"
    OUTSIDER = "outsider"
    """Of another organisation."""
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
    """An owner or admin of a workspace: for a stranger, of their own."""
    guest: bool = False
    """Single- or multi-channel guest."""
    outsider: bool = False
    """Of another organisation (Slack Connect), hence not of this workspace."""
    app: bool = False
    gone: bool = False
    """Deactivated."""

    @property
    def runs_workspace(self) -> bool:
        """Whether this is an owner or admin of our own workspace."""
        return self.admin and not (self.outsider or self.guest or self.app or self.gone)


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
    if action is Action.LOOK:
        return None
    if why := _of_account(member):
        return why
    if action is Action.SPEND:
        return _of_channel(channel, rules) or _of_person(person, member, rules)
    if member is None:
        return Why.UNKNOWN
    return None if role(person=person, member=member, rules=rules) is Role.ADMIN else Why.NOT_ADMIN


def role(*, person: str, member: Member | None, rules: AccessRules) -> Role:
    """The person's role, whatever the channel. An admin whose spending is denied is still an admin."""
    if member is not None and _is_admin(member, rules):
        return Role.ADMIN
    return Role.VIEWER if _of_account(member) or _of_person(person, member, rules) else Role.MAKER


def _of_account(member: Member | None) -> Why | None:
    """What no list changes."""
    if member is not None and member.app:
        return Why.APP
    return Why.GONE if member is not None and member.gone else None


def _of_channel(channel: str, rules: AccessRules) -> Why | None:
    if channel in rules.channels_deny:
        return Why.CHANNEL_DENIED
    if rules.channels_allow and channel not in rules.channels_allow:
        return Why.CHANNEL_NOT_LISTED
    return None


def _of_person(person: str, member: Member | None, rules: AccessRules) -> Why | None:
    if person in rules.people_deny:
        return Why.PERSON_DENIED
    if member is None:
        return Why.UNKNOWN
    if _is_admin(member, rules) or person in rules.guests_allow:
        return None
    if member.outsider or member.guest:
        return Why.OUTSIDER if member.outsider else Why.GUEST
    if rules.people_allow and person not in rules.people_allow:
        return Why.PERSON_NOT_LISTED
    return None


def _is_admin(member: Member, rules: AccessRules) -> bool:
    """Whether somebody whose account counts at all is an admin here."""
    return not (member.app or member.gone) and (member.person in rules.admins or member.runs_workspace)
