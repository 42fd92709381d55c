"""What people ask for, planned: drafts, variants and promotions. Every door comes through here; nothing here talks to
Slack or to a provider.

When a method has returned, the ask is on disk with its hold or with its question, and the caller may say so; when it
raised, nothing was written, unless it was CommitUnknown: then nobody knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.domain.access import Action
from bot.domain.budget import Stage
from bot.domain.job import AskKind, Door, Gate, Job, State, Wish
from bot.domain.lineage import Changes, Method, files_note, notes_on_files, promote, vary
from bot.domain.pretend import real_name
from bot.domain.recipe import Recipe
from bot.ports import Storage, Transaction
from bot.services.answers import (
    AlreadyTaken,
    Estimated,
    NoClipStands,
    NoSuchClip,
    NothingChanges,
    NothingToDo,
    NotPromotable,
    OnACard,
    Taken,
    WhichClip,
)
from bot.services.clip_files import clip_names, given_clips
from bot.services.doorbell import Doorbell
from bot.services.gatekeeper import Gatekeeper
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.routing import AUTO, Router
from bot.services.taking import Plan, Sender, Taking


class Intake:
    """The use-cases that make clips."""

    def __init__(
        self,
        *,
        storage: Storage,
        router: Router,
        policies: Policies,
        gatekeeper: Gatekeeper,
        taking: Taking,
        doorbell: Doorbell,
    ) -> None:
        self._storage = storage
        self._router = router
        self._policies = policies
        self._gatekeeper = gatekeeper
        self._taking = taking
        self._doorbell = doorbell

    async def draft(
        self,
        sender: Sender,
        prompt: str,
        changes: Changes,
        *,
        provider: str | None = None,
        final: bool = False,
        estimate: bool = False,
        notes: tuple[str, ...] = (),
        names: Mapping[str, str] | None = None,
    ) -> Taken | Estimated | AlreadyTaken:
        """Take a ``/clip``. An estimate is anybody's, since it spends nothing. ``notes`` stand on the card, and
        so do its files where ``names`` tells what they are called, by address. Raises OverCap, NoPrice or a Refusal."""
        policy = await self._allowed(sender, Action.LOOK if estimate else Action.SPEND)
        changes = given_clips(changes, None)
        plan = self._draft(policy, Door.COMMAND, prompt, changes, provider=provider, final=final)
        if estimate:
            return _estimated(plan)
        notes = (*notes, *_named(plan, changes, names))
        return await self._taking.take(
            sender, replace(plan, gate=Gate.CONFIRMATION if plan.costly else None, notes=notes), thread=None
        )

    async def mention(
        self,
        sender: Sender,
        root_ts: str,
        prompt: str,
        changes: Changes,
        *,
        provider: str | None = None,
        final: bool = False,
        estimate: bool = False,
        notes: tuple[str, ...] = (),
        names: Mapping[str, str] | None = None,
    ) -> Taken | Estimated | AlreadyTaken:
        """Take a message that names the app and says what to make: a draft in the thread below ``root_ts``, which is
        that message or the root of the thread where it stands. It might be chat, so it is gated like a variant. Raises
        OverCap, NoPrice or a Refusal."""
        async with self._storage.read() as tx:
            thread = await tx.jobs.find_thread(sender.workspace, sender.channel, root_ts)
            clips = () if thread is None else await tx.jobs.in_thread(sender.workspace, thread.id)
            taken = await tx.inbox.was_taken(sender.workspace, sender.key)
        if taken:
            return AlreadyTaken()
        policy = await self._allowed(sender, Action.LOOK if estimate else Action.SPEND)
        changes = given_clips(changes, clips)
        plan = self._draft(policy, Door.MENTION, prompt, changes, provider=provider, final=final)
        if estimate:
            return _estimated(plan)
        notes = (*notes, *_named(plan, changes, names, clips))
        return await self._taking.take(sender, _gated(replace(plan, root_ts=root_ts, notes=notes)), thread=thread)

    async def variant(
        self,
        sender: Sender,
        root_ts: str,
        number: int | None,
        changes: Changes,
        text: str,
        *,
        provider: str | None = None,
        notes: tuple[str, ...] = (),
        names: Mapping[str, str] | None = None,
    ) -> Taken | AlreadyTaken | None:
        """Take a reply in a thread as a variant of clip ``#number``, or of the only clip. Who makes it is chosen anew,
        unless somebody named a ``provider`` for it, or for that clip. None when the thread is not ours. Raises
        NoSuchClip, WhichClip, NoClipStands, OverCap, NoPrice or a Refusal."""
        async with self._storage.read() as tx:
            thread = await tx.jobs.find_thread(sender.workspace, sender.channel, root_ts)
            if thread is None:
                return None
            clips = await tx.jobs.in_thread(sender.workspace, thread.id)
            taken = await tx.inbox.was_taken(sender.workspace, sender.key)
        if taken:
            # Told again: seen against its own clips it would be another ask.
            return AlreadyTaken()
        parent, changes = _chosen(clips, number), given_clips(changes, clips)
        policy = await self._allowed(sender)
        recipe = vary(parent.recipe, changes, unframed=policy.draft.ratio)
        elsewhere = provider not in {None, AUTO, parent.provider, real_name(parent.provider)}
        if recipe == parent.recipe and (changes.takes or 1) == 1 and not elsewhere:
            raise NothingChanges(parent.number)
        stage = Stage.DRAFT if parent.stage is Stage.DRAFT else Stage.DIRECT
        plan = self._plan(
            policy,
            kind=AskKind.VARIANT,
            stage=stage,
            door=Door.REPLY,
            text=text,
            recipe=recipe,
            provider=provider or (parent.provider if parent.named else None),
            free_ratio=changes.frees_ratio,
        )
        notes = (*notes, *_named(plan, changes, names, clips))
        notes = (*notes, *notes_on_files(parent.recipe, recipe))
        plan = _gated(replace(plan, takes=changes.takes or 1, parent=parent, notes=notes))
        return await self._taking.take(sender, plan, thread=thread)

    async def promote_message(self, sender: Sender, message_ts: str) -> Taken | AlreadyTaken | None:
        """Take a :rocket: on a message. None when the message is not a clip of ours, or not known to be one yet:
        then every clip that is just being shared in the channel is looked at again when its message is known. Raises
        OnACard of one of ours."""
        async with self._storage.begin() as tx:
            job = await tx.jobs.by_message(sender.workspace, sender.channel, message_ts)
            card = await tx.jobs.find_card(sender.workspace, sender.channel, message_ts)
            unknown = () if job or card else await tx.jobs.being_shared(sender.workspace, sender.channel)
            for candidate in (one for one in unknown if one.wish is None):
                await tx.jobs.wish(candidate.workspace, candidate.id, Wish.SEE_REACTIONS, sender.person)
        if unknown:
            self._doorbell.ring()
        if job is None and card is not None:
            raise OnACard
        return None if job is None else await self._promote(sender, job, Door.REACTION)

    async def promote_early(self, job: Job, person: str) -> None:
        """Take a :rocket: that was given before we knew the clip's message. Whoever had a say in a final of it since
        was heard by another way, and nothing more comes of the same reaction, whatever became of that final."""
        async with self._storage.read() as tx:
            if person in await _heard(tx, job):
                return
        key = f"early:{job.id}:{person}"
        sender = Sender(workspace=job.workspace, channel=job.channel, person=person, key=key)
        await self._promote(sender, job, Door.REACTION)

    async def promote_job(self, sender: Sender, job_id: str) -> Taken | AlreadyTaken:
        """Take a press on *Promote*."""
        try:
            async with self._storage.read() as tx:
                job = await tx.jobs.job(sender.workspace, job_id)
        except KeyError:
            raise NothingToDo("Promote") from None
        if job.channel != sender.channel:
            # A card is pressed where it stands, and its channel's rules and caps hold.
            raise NothingToDo("Promote")
        return await self._promote(sender, job, Door.BUTTON)

    async def promote_number(self, sender: Sender, root_ts: str, number: int) -> Taken | AlreadyTaken | None:
        """Take ``promote #n`` in a thread. None when the thread is not ours."""
        async with self._storage.read() as tx:
            thread = await tx.jobs.find_thread(sender.workspace, sender.channel, root_ts)
            if thread is None:
                return None
            job = _chosen(await tx.jobs.in_thread(sender.workspace, thread.id), number)
        return await self._promote(sender, job, Door.REPLY)

    async def is_ours(self, workspace: str, channel: str, root_ts: str) -> bool:
        """Whether that thread is one of ours: replies elsewhere are not even read."""
        async with self._storage.read() as tx:
            return await tx.jobs.find_thread(workspace, channel, root_ts) is not None

    async def was_taken(self, sender: Sender) -> bool:
        """Whether something was made of that very event already: it may read otherwise the second time, in a thread
        that is ours since the first."""
        async with self._storage.read() as tx:
            return await tx.inbox.was_taken(sender.workspace, sender.key)

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _allowed(self, sender: Sender, action: Action = Action.SPEND) -> Policy:
        """The channel's policy, for somebody who may do that there. Raises NotAllowed."""
        policy = await self._policies.of(sender.workspace, sender.channel)
        await self._gatekeeper.check(action, person=sender.person, channel=sender.channel, policy=policy)
        return policy

    def _draft(
        self, policy: Policy, door: Door, prompt: str, changes: Changes, *, provider: str | None, final: bool
    ) -> Plan:
        """All takes of a draft, or of a final without one, not gated yet."""
        plan = self._plan(
            policy,
            kind=AskKind.DRAFT,
            stage=Stage.DIRECT if final else Stage.DRAFT,
            door=door,
            text=prompt,
            recipe=replace(vary(_preset(policy, final), changes), prompt=prompt),
            provider=provider,
            free_ratio=changes.frees_ratio,
        )
        return replace(plan, takes=changes.takes or policy.takes)

    def _plan(
        self,
        policy: Policy,
        *,
        kind: AskKind,
        stage: Stage,
        door: Door,
        text: str,
        recipe: Recipe,
        provider: str | None = None,
        free_ratio: bool = False,
    ) -> Plan:
        """One take of the recipe, routed and priced. ``free_ratio``: the route may let a first frame lead the ratio."""
        route = self._router.route(recipe, provider, free_ratio=free_ratio)
        as_final = None
        if stage is Stage.DRAFT:
            as_final = self._router.price_as_final(route.recipe, route.can.provider, policy.final)
        return Plan(
            policy=policy,
            kind=kind,
            stage=stage,
            door=door,
            text=text,
            recipe=route.recipe,
            takes=1,
            route=route,
            named=provider not in {None, AUTO},
            free_ratio=recipe.ratio if free_ratio else None,
            as_final_micro_usd=as_final,
        )

    async def _promote(self, sender: Sender, draft: Job, door: Door) -> Taken | AlreadyTaken:
        policy = await self._allowed(sender)
        async with self._storage.read() as tx:
            ask = await tx.jobs.ask(draft.workspace, draft.ask_id)
            thread = await tx.jobs.thread(draft.workspace, draft.thread_id)
        # A clip that people may see already is promotable, also while we still look for its message.
        if draft.state not in {State.DELIVERED, State.DELIVERING} or ask.kind is AskKind.PROMOTION:
            raise NotPromotable(draft)
        recipe = promote(draft.recipe, policy.final)
        if recipe == draft.recipe:
            raise NotPromotable(draft)
        method = Method.SAME_RECIPE
        plan = self._plan(
            policy,
            kind=AskKind.PROMOTION,
            stage=Stage.FINAL,
            door=door,
            text="",
            recipe=recipe,
            provider=draft.provider,
        )
        unique_key = f"final:{draft.id}:{recipe.key()}:{method.value}"
        as_final = None if draft.as_final_micro_usd is None else plan.route.price.micro_usd
        plan = replace(plan, parent=draft, method=method, unique_key=unique_key, as_final_micro_usd=as_final)
        plan = _gated(plan)
        return await self._taking.take(sender, plan, thread=thread)


async def _heard(tx: Transaction, clip: Job) -> set[str]:
    """Whoever asked for a final of the clip, or stood behind one, also of those that were undone or failed."""
    people = set[str]()
    for final in await tx.jobs.in_thread(clip.workspace, clip.thread_id):
        ask = await tx.jobs.ask(final.workspace, final.ask_id)
        if ask.kind is AskKind.PROMOTION and ask.parent_job == clip.id:
            supporters = await tx.jobs.supporters(ask.workspace, ask.id)
            people |= {ask.person, *(supporter.person for supporter in supporters)}
    return people


def _preset(policy: Policy, final: bool) -> Recipe:
    if not final:
        return policy.draft
    return replace(promote(policy.draft, policy.final), seconds=policy.final_seconds)


def _gated(plan: Plan) -> Plan:
    """Nothing that came by a gesture is spent at once: it can be undone, or is asked about when it costs much."""
    return replace(plan, gate=Gate.CONFIRMATION if plan.costly else Gate.UNDO)


def _named(plan: Plan, changes: Changes, names: Mapping[str, str] | None, clips: Sequence[Job] = ()) -> tuple[str, ...]:
    """The files for the card, where some were given and their names are to be told."""
    told = names is not None and changes.media
    return (files_note(plan.recipe.media, {**clip_names(clips), **(names or {})}),) if told else ()


def _estimated(plan: Plan) -> Estimated:
    return Estimated(
        recipe=plan.recipe,
        takes=plan.takes,
        provider=plan.route.can.provider,
        model=plan.route.can.model,
        price_each_micro_usd=plan.route.price.micro_usd,
        assumed=plan.route.price.assumed,
        needs_confirmation=plan.costly,
    )


def _chosen(jobs: tuple[Job, ...], number: int | None) -> Job:
    numbers = tuple(job.number for job in jobs)
    if number is not None:
        for job in jobs:
            if job.number == number:
                return job
        raise NoSuchClip(number, numbers)
    standing = [job for job in jobs if job.state not in {State.FAILED, State.CANCELLED}]
    if not standing:
        raise NoClipStands(numbers)
    if len(standing) > 1:
        raise WhichClip(tuple(job.number for job in standing))
    return standing[0]
