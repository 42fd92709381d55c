"""Who may do what: the whole rule as a table, and words for every refusal."""

import itertools

import pytest

from bot.domain.access import AccessRules, Action, Member, Role, Why, denial, role
from bot.services.answers import NotAllowed
from handlers.blocks.access import not_allowed
from handlers.blocks.answers import explain_error

HERE, ELSEWHERE = "C1", "C2"
NAMED, OWNER, MAKER, GUEST, STRANGER, APP, GONE = "UNAMED", "UOWNER", "UMAKER", "UGUEST", "USTRANGER", "UAPP", "UGONE"
MEMBERS = {
    NAMED: Member(person=NAMED),
    OWNER: Member(person=OWNER, admin=True),
    MAKER: Member(person=MAKER),
    GUEST: Member(person=GUEST, guest=True),
    STRANGER: Member(person=STRANGER, outsider=True, admin=True),
    APP: Member(person=APP, app=True, admin=True),
    GONE: Member(person=GONE, gone=True, admin=True),
}
"""Strangers, apps and deactivated people are owners of whatever they can be: it must not help them."""

NOBODY_LISTED = AccessRules(admins=frozenset({NAMED}))
ADMINS, YES = {NAMED, OWNER}, None


def rules(**lists: set[str]) -> AccessRules:
    """With these lists beside the named admin."""
    return AccessRules(**{"admins": frozenset({NAMED}), **{name: frozenset(ids) for name, ids in lists.items()}})


SPENDING: dict[str, tuple[AccessRules, dict[str, Why | None]]] = {
    "no lists": (
        NOBODY_LISTED,
        {NAMED: YES, OWNER: YES, MAKER: YES, GUEST: Why.GUEST, STRANGER: Why.OUTSIDER, APP: Why.APP, GONE: Why.GONE},
    ),
    "a list of other people": (
        rules(people_allow={"UOTHER"}),
        {
            NAMED: YES,
            OWNER: YES,
            MAKER: Why.PERSON_NOT_LISTED,
            GUEST: Why.GUEST,
            STRANGER: Why.OUTSIDER,
            APP: Why.APP,
            GONE: Why.GONE,
        },
    ),
    "all listed, which lets in no guest and no stranger": (
        rules(people_allow=set(MEMBERS)),
        {NAMED: YES, OWNER: YES, MAKER: YES, GUEST: Why.GUEST, STRANGER: Why.OUTSIDER, APP: Why.APP, GONE: Why.GONE},
    ),
    "guests let in, past a list of other people": (
        rules(guests_allow={GUEST, STRANGER, APP, GONE}, people_allow={"UOTHER"}),
        {
            NAMED: YES,
            OWNER: YES,
            MAKER: Why.PERSON_NOT_LISTED,
            GUEST: YES,
            STRANGER: YES,
            APP: Why.APP,
            GONE: Why.GONE,
        },
    ),
    "everybody denied, whatever else lets them in": (
        rules(people_deny=set(MEMBERS), people_allow=set(MEMBERS), guests_allow=set(MEMBERS)),
        {
            **dict.fromkeys(MEMBERS, Why.PERSON_DENIED),
            APP: Why.APP,
            GONE: Why.GONE,
        },
    ),
    "everybody an admin": (
        rules(admins=set(MEMBERS)),
        {**dict.fromkeys(MEMBERS, YES), APP: Why.APP, GONE: Why.GONE},
    ),
    "a closed channel, for admins too": (
        rules(channels_deny={HERE}, channels_allow={HERE}, guests_allow={GUEST}),
        {**dict.fromkeys(MEMBERS, Why.CHANNEL_DENIED), APP: Why.APP, GONE: Why.GONE},
    ),
    "another channel opened": (
        rules(channels_allow={ELSEWHERE}),
        {**dict.fromkeys(MEMBERS, Why.CHANNEL_NOT_LISTED), APP: Why.APP, GONE: Why.GONE},
    ),
    "this channel opened, another one closed": (
        rules(channels_allow={HERE}, channels_deny={ELSEWHERE}),
        {NAMED: YES, OWNER: YES, MAKER: YES, GUEST: Why.GUEST, STRANGER: Why.OUTSIDER, APP: Why.APP, GONE: Why.GONE},
    ),
}
"""What the lists are: who may spend here, and why not."""


def asked(action: Action, person: str, given: AccessRules) -> Why | None:
    """The rule's answer about one of the members, here."""
    return denial(action, person=person, channel=HERE, member=MEMBERS[person], rules=given)


@pytest.mark.parametrize("lists", SPENDING)
def test_who_may_spend(lists: str) -> None:
    given, wanted = SPENDING[lists]
    assert {person: asked(Action.SPEND, person, given) for person in MEMBERS} == wanted


@pytest.mark.parametrize("action", [Action.STEER, Action.CONFIGURE])
@pytest.mark.parametrize("lists", SPENDING)
def test_steering_and_configuring_are_for_admins_whatever_is_said_about_money(lists: str, action: Action) -> None:
    given, _ = SPENDING[lists]
    admins = {person for person in given.admins | {OWNER} if person not in {APP, GONE}}
    outcome = {person: asked(action, person, given) for person in MEMBERS}
    assert {person for person, why in outcome.items() if why is None} == admins
    assert {why for person, why in outcome.items() if person not in admins} <= {Why.NOT_ADMIN, Why.APP, Why.GONE}


@pytest.mark.parametrize("lists", SPENDING)
def test_looking_is_everybodys(lists: str) -> None:
    given, _ = SPENDING[lists]
    assert {asked(Action.LOOK, person, given) for person in MEMBERS} == {None}


@pytest.mark.parametrize("person", [NAMED, MAKER, GUEST])
def test_whom_slack_does_not_tell_of_is_nobody(person: str) -> None:
    given = rules(people_allow=set(MEMBERS), guests_allow=set(MEMBERS))
    refused = {
        action: denial(action, person=person, channel=HERE, member=None, rules=given)
        for action in Action
        if action is not Action.LOOK
    }
    assert set(refused.values()) == {Why.UNKNOWN}
    assert role(person=person, member=None, rules=given) is Role.VIEWER


def test_what_the_lists_say_needs_no_word_of_slacks() -> None:
    for given, why in (
        (rules(people_deny={MAKER}), Why.PERSON_DENIED),
        (rules(channels_deny={HERE}), Why.CHANNEL_DENIED),
        (rules(channels_allow={ELSEWHERE}), Why.CHANNEL_NOT_LISTED),
    ):
        assert denial(Action.SPEND, person=MAKER, channel=HERE, member=None, rules=given) is why


@pytest.mark.parametrize("lists", SPENDING)
def test_roles_follow_from_what_one_may(lists: str) -> None:
    """In a channel that is open: an admin is who may configure, a maker who else may spend, a viewer who may not."""
    given, _ = SPENDING[lists]
    given = AccessRules(
        admins=given.admins,
        people_allow=given.people_allow,
        people_deny=given.people_deny,
        guests_allow=given.guests_allow,
    )
    for person, member in MEMBERS.items():
        configures = asked(Action.CONFIGURE, person, given) is None
        spends = asked(Action.SPEND, person, given) is None
        wanted = Role.ADMIN if configures else Role.MAKER if spends else Role.VIEWER
        assert role(person=person, member=member, rules=given) is wanted, person


def test_nobody_gains_by_being_something_worse() -> None:
    """Of two people who differ in one trait alone, the guest, stranger, app or deactivated one may no more."""
    traits = ("guest", "outsider", "app", "gone")
    for given, action in itertools.product([given for given, _ in SPENDING.values()], Action):
        for values in itertools.product([False, True], repeat=len(traits)):
            traited = dict(zip(traits, values, strict=True))
            person = Member(person=MAKER, admin=True, **traited)
            if denial(action, person=MAKER, channel=HERE, member=person, rules=given) is None:
                continue
            for trait in traits:
                worse = Member(person=MAKER, admin=True, **{**traited, trait: True})
                assert denial(action, person=MAKER, channel=HERE, member=worse, rules=given) is not None


# --- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", Why)
def test_every_refusal_says_what_it_means_that_it_was_free_and_what_to_do(why: Why) -> None:
    words = not_allowed(NotAllowed(why, admins=("U1", "U2")))
    assert "Nothing was charged or changed." in words
    meaning, _, advice = words.partition(" Nothing was charged or changed. ")
    assert meaning.endswith(".")
    assert advice.endswith(".")
    assert explain_error(NotAllowed(why), reference="").text == not_allowed(NotAllowed(why))


@pytest.mark.parametrize(
    ("why", "key"),
    [
        (Why.GUEST, "guests.allow+="),
        (Why.OUTSIDER, "guests.allow+="),
        (Why.PERSON_DENIED, "people.deny-="),
        (Why.PERSON_NOT_LISTED, "people.allow+="),
        (Why.CHANNEL_DENIED, "channels.deny-="),
        (Why.CHANNEL_NOT_LISTED, "channels.allow+="),
        (Why.NOT_ADMIN, "admins+="),
    ],
)
def test_a_refusal_names_who_can_change_it_and_the_setting(why: Why, key: str) -> None:
    named = not_allowed(NotAllowed(why, admins=("U1", "U2", "U3", "U4")))
    assert "<@U1> or <@U2> or <@U3> can" in named
    assert "<@U4>" not in named
    assert f"`/clip-settings workspace {key}" in named
    assert "An owner or admin of this workspace can" in not_allowed(NotAllowed(why))
