"""What can be set, looked at and changed: by anybody, and by admins. Both doors (Slack and the command line) end here.

A change is read, merged with what is stored, and written as a new version with its audit lines in one transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.access import Action, Why
from bot.domain.audit import Act, AuditEntry
from bot.domain.lineage import promote
from bot.domain.preference_keys import CAST, CAST_KEY, KEYS, Group, Key
from bot.domain.preferences import (
    WHOLE_WORKSPACE,
    Assignment,
    ChangedMeanwhile,
    Difference,
    Operator,
    PreferencesVersion,
    SameEmoji,
    differences,
    key_of,
    revised,
)
from bot.ports import Clock, CommitUnknown, Fenced, Storage, StorageBusy, StorageError, Transaction
from bot.services.answers import ChangeUnknown, NotAllowed
from bot.services.gatekeeper import Gatekeeper
from bot.services.policies import Policies, unread, value_of
from bot.services.policy import Policy
from bot.services.routing import Router
from bot.services.sheets import Changed, Row, Sheet, Source

_TRIES = 5
"""Another admin's version can come between reading and writing; so many in a row are not people."""


_EMOJI = frozenset({"emoji.promote", "emoji.cancel"})

_ANY_PROMPT = "a red panda"
"""A preset has no prompt of its own, and some providers read none that is shorter than a word."""


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A change before it is written: by whom, and what they saw."""

    workspace: str
    subject: str
    assignments: tuple[Assignment, ...]
    person: str | None
    seen: Mapping[str, str]
    at: datetime

    def version(self, number: int, values: Mapping[str, str]) -> PreferencesVersion:
        """The version that this change makes."""
        return PreferencesVersion(
            workspace=self.workspace,
            subject=self.subject,
            version=number,
            values=values,
            changed_by=self.person,
            at=self.at,
        )


class Configuring:
    """Looks and changes. ``wake`` is called after each change: what waited may go on.

    ``set_by_operator`` names the keys whose ground the environment sets. Without a gatekeeper, as on the command line,
    nobody of Slack may change anything: whoever has a shell there is the operator, and is ``person`` None. With a
    router, presets that no provider can make are refused.
    """

    def __init__(
        self,
        *,
        storage: Storage,
        policies: Policies,
        clock: Clock,
        gatekeeper: Gatekeeper | None = None,
        router: Router | None = None,
        set_by_operator: frozenset[str] = frozenset(),
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._storage = storage
        self._policies = policies
        self._clock = clock
        self._gatekeeper = gatekeeper
        self._router = router
        self._set_by_operator = set_by_operator
        self._wake = wake

    async def sheet(self, workspace: str, subject: str) -> Sheet:
        """What holds for a channel's id or WHOLE_WORKSPACE. Everybody may look."""
        async with self._storage.read() as tx:
            return await self._sheet(tx, workspace, subject)

    async def may_change(self, workspace: str, subject: str, person: str) -> bool:
        """Whether that person may change settings: what is nobody else's business is shown to nobody else."""
        try:
            await self._permit(workspace, subject, person)
        except NotAllowed:
            return False
        return True

    async def change(
        self,
        workspace: str,
        subject: str,
        assignments: Sequence[Assignment],
        *,
        person: str | None,
        base: int | None = None,
    ) -> Changed:
        """Make the changes, all or none. ``base`` is the version that the person looked at, where a form showed one.

        What others changed since is kept, and told; where it is one of the very keys that are to be set, nothing is
        written: ChangedMeanwhile. Raises a PreferenceError for what cannot be set, CannotMake, NoProvider or NoPrice
        for presets that nobody can make, NotAllowed, StorageBusy, ChangeUnknown.
        """
        seen = await self._seen(workspace, subject, base)
        if person is not None:
            await self._permit(workspace, subject, person)
        wanted = _Wanted(
            workspace=workspace,
            subject=subject,
            assignments=tuple(assignments),
            person=person,
            seen=seen,
            at=self._clock.now(),
        )
        unsure = False
        for _ in range(_TRIES):
            try:
                changed = await self._write(wanted, unsure=unsure)
            except Fenced:
                continue
            except CommitUnknown:
                unsure = True
                continue
            except StorageError as error:
                if unsure:
                    # That this time nothing was written says nothing of the time before.
                    raise ChangeUnknown from error
                raise
            self._wake()
            return changed
        raise ChangeUnknown if unsure else StorageBusy

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _permit(self, workspace: str, subject: str, person: str) -> None:
        if self._gatekeeper is None:
            raise NotAllowed(Why.UNKNOWN)
        policy = await self._policies.of(workspace, subject)
        await self._gatekeeper.check(Action.CONFIGURE, person=person, channel=subject, policy=policy)

    async def _seen(self, workspace: str, subject: str, base: int | None) -> Mapping[str, str]:
        """The subject's values as the person saw them: now, or in the version that was shown."""
        async with self._storage.read() as tx:
            if base is None:
                return await _values(tx, workspace, subject)
            history = await tx.preferences.history(workspace, subject)
        return next((version.values for version in history if version.version == base), {})

    async def _write(self, wanted: _Wanted, *, unsure: bool) -> Changed:
        """One try. ``unsure`` says that an earlier one may have been written."""
        async with self._storage.begin() as tx:
            current = await tx.preferences.current(wanted.workspace, wanted.subject)
            if unsure and current is not None and (current.changed_by, current.at) == (wanted.person, wanted.at):
                return await self._written(tx, current)
            values = current.values if current else {}
            made = revised(wanted.subject, values, wanted.assignments)
            meanwhile = differences(wanted.seen, values)
            if theirs := _in_the_way(meanwhile, wanted.assignments, made):
                raise ChangedMeanwhile(theirs, current.changed_by if current else None)
            done = differences(values, made)
            if done:
                version = wanted.version((current.version if current else 0) + 1, made)
                await tx.preferences.put(version)
                await tx.audit.add(*(_line(version, one) for one in done))
                self._check(await self._policies.within(tx, wanted.workspace, wanted.subject), done)
                await self._check_emoji(tx, wanted, done)
            sheet = await self._sheet(tx, wanted.workspace, wanted.subject)
            return Changed(sheet=sheet, done=done, meanwhile=meanwhile)

    async def _written(self, tx: Transaction, version: PreferencesVersion) -> Changed:
        """This very change, which stands although nobody heard of its commit."""
        history = await tx.preferences.history(version.workspace, version.subject)
        before = next((one.values for one in history if one.version == version.version - 1), {})
        sheet = await self._sheet(tx, version.workspace, version.subject)
        return Changed(sheet=sheet, done=differences(before, version.values))

    def _check(self, policy: Policy, done: Sequence[Difference]) -> None:
        """What each value allows and all together do not: raising here undoes the change."""
        touched = {one.name for one in done}
        if self._router is None:
            return
        draft = replace(policy.draft, prompt=_ANY_PROMPT)
        if any(name.startswith("draft.") for name in touched):
            self._router.route(draft, None)
        if any(name.startswith("final.") for name in touched):
            self._router.route(replace(promote(draft, policy.final), seconds=policy.final_seconds), None)

    async def _check_emoji(self, tx: Transaction, wanted: _Wanted, done: Sequence[Difference]) -> None:
        """No emoji both promotes and cancels: where the change is made, and in the channels that it reaches."""
        if not {one.name for one in done} & _EMOJI:
            return
        whole = wanted.subject == WHOLE_WORKSPACE
        for subject in (wanted.subject, *(await tx.preferences.channels(wanted.workspace) if whole else ())):
            policy = await self._policies.within(tx, wanted.workspace, subject)
            both = set(policy.promote_emoji) & set(policy.cancel_emoji)
            if both:
                raise SameEmoji(both, None if subject == wanted.subject else subject)

    async def _sheet(self, tx: Transaction, workspace: str, subject: str) -> Sheet:
        policy = await self._policies.within(tx, workspace, subject)
        own = await tx.preferences.current(workspace, subject)
        layers = {Source.WORKSPACE: await _values(tx, workspace, WHOLE_WORKSPACE)}
        if subject != WHOLE_WORKSPACE:
            layers = {Source.CHANNEL: own.values if own else {}, **layers}
        return Sheet(
            workspace=workspace,
            subject=subject,
            version=own.version if own else 0,
            rows=tuple(self._row(policy, key, layers) for key in _keys(policy)),
            unread=tuple(name for values in layers.values() for name in unread(values)),
        )

    def _row(self, policy: Policy, key: Key, layers: Mapping[Source, Mapping[str, str]]) -> Row:
        row = Row(key=key, value=value_of(policy, key), source=self._ground(key))
        for source, values in layers.items():
            if key.name in values and (not key.lowest or values[key.name] == row.text):
                return Row(key=key, value=row.value, source=source)
        return row

    def _ground(self, key: Key) -> Source:
        return Source.ENVIRONMENT if key.name in self._set_by_operator else Source.DEFAULT


def _keys(policy: Policy) -> list[Key]:
    """Every key, and the cast that there is after the look."""
    cast = [key_of(f"{CAST}{name}") for name in sorted(policy.cast)] or [CAST_KEY]
    keys = [*KEYS.values(), *cast]
    return [key for group in Group for key in keys if key.group is group]


async def _values(tx: Transaction, workspace: str, subject: str) -> Mapping[str, str]:
    version = await tx.preferences.current(workspace, subject)
    return version.values if version else {}


def _in_the_way(
    meanwhile: Sequence[Difference], assignments: Sequence[Assignment], made: Mapping[str, str]
) -> tuple[Difference, ...]:
    """What others changed of the very keys that are to be set otherwise. Adding to a list and taking from it goes
    together with whatever others did."""
    mine = {one.key.name for one in assignments if one.operator is Operator.SET}
    return tuple(one for one in meanwhile if one.name in mine and made.get(one.name) != one.after)


def _line(version: PreferencesVersion, one: Difference) -> AuditEntry:
    return AuditEntry(
        workspace=version.workspace,
        at=version.at,
        act=Act.CONFIGURED,
        person=version.changed_by,
        channel=None if version.subject == WHOLE_WORKSPACE else version.subject,
        detail=one.words,
    )
