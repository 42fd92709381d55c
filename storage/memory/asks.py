"""The part of ``bot.ports.Jobs`` about threads, asks and their cards, in memory."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.domain.job import Ask, Decision, Ownership, State, Supporter, Thread
from bot.ports import AlreadyLive
from storage.errors import Inconsistent
from storage.memory.tables import Tables, owned_by


class MemoryAsks:
    """Threads, asks, cards and supporters."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add_thread(self, thread: Thread) -> None:
        if (thread.workspace, thread.id) in self._tables.threads:
            raise Inconsistent("threads.workspace, threads.id")
        self._put_thread(thread)

    async def open_thread(self, thread: Thread) -> Thread:
        there = await self.find_thread(thread.workspace, thread.channel, thread.root_ts or "")
        if there is None:
            await self.add_thread(thread)
        return there or thread

    async def thread(self, workspace: str, thread_id: str) -> Thread:
        return self._tables.threads[workspace, thread_id]

    async def find_thread(self, workspace: str, channel: str, root_ts: str) -> Thread | None:
        wanted = (workspace, channel, root_ts)
        threads = self._tables.threads.values()
        return next((one for one in threads if (one.workspace, one.channel, one.root_ts) == wanted), None)

    async def take_numbers(self, workspace: str, thread_id: str, count: int) -> int:
        thread = self._tables.threads[workspace, thread_id]
        following = thread.next_number + count
        self._tables.threads[workspace, thread_id] = replace(thread, next_number=following)
        return thread.next_number

    async def add_ask(self, ask: Ask) -> None:
        if (ask.workspace, ask.id) in self._tables.asks:
            raise Inconsistent("asks.workspace, asks.id")
        if (ask.workspace, ask.thread_id) not in self._tables.threads:
            raise Inconsistent("asks.thread_id")
        if ask.live and ask.unique_key and await self.live_ask(ask.workspace, ask.unique_key):
            raise AlreadyLive(ask.unique_key)
        self._tables.asks[ask.workspace, ask.id] = replace(ask, root_ts=None)

    async def ask(self, workspace: str, ask_id: str) -> Ask:
        return self._with_root(self._tables.asks[workspace, ask_id])

    async def live_ask(self, workspace: str, unique_key: str) -> Ask | None:
        return self._find_ask(workspace=workspace, unique_key=unique_key, live=True)

    async def find_card(self, workspace: str, channel: str, card_ts: str) -> Ask | None:
        return self._find_ask(workspace=workspace, channel=channel, card_ts=card_ts)

    async def decide(self, workspace: str, ask_id: str, decision: Decision, person: str | None) -> bool:
        ask = self._tables.asks.get((workspace, ask_id))
        if ask is None or ask.decision is not None:
            return False
        self._change(workspace, ask_id, decision=decision, decided_by=person, version=ask.version + 1)
        if decision is Decision.GO and person is not None:
            self._change(workspace, ask_id, person=person)
            for key, job in self._tables.jobs.items():
                if (job.workspace, job.ask_id) == (workspace, ask_id):
                    self._tables.jobs[key] = replace(job, person=person, version=job.version + 1)
        return True

    async def pass_on(self, workspace: str, ask_id: str, person: str) -> None:
        ask = self._tables.asks.get((workspace, ask_id))
        if ask is not None:
            self._change(workspace, ask_id, person=person, version=ask.version + 1)

    async def retire(self, workspace: str, ask_id: str) -> None:
        self._change(workspace, ask_id, live=False)

    async def redraw(self, workspace: str, ask_id: str) -> None:
        ask = self._tables.asks.get((workspace, ask_id))
        if ask is not None:
            self._change(workspace, ask_id, version=ask.version + 1)

    async def add_note(self, workspace: str, ask_id: str, note: str) -> None:
        ask = self._tables.asks[workspace, ask_id]
        if note not in ask.notes:
            self._change(workspace, ask_id, notes=(*ask.notes, note), version=ask.version + 1)

    async def redraw_line(self, workspace: str, person: str) -> None:
        wanted = (workspace, person, State.QUEUED)
        jobs = self._tables.jobs.values()
        for ask_id in {job.ask_id for job in jobs if (job.workspace, job.person, job.state) == wanted}:
            await self.redraw(workspace, ask_id)

    async def support(self, workspace: str, ask_id: str, supporter: Supporter) -> None:
        if (workspace, ask_id) not in self._tables.asks:
            raise Inconsistent("supporters.ask_id")
        self._tables.supporters.setdefault((workspace, ask_id, supporter.person), supporter)

    async def supporters(self, workspace: str, ask_id: str) -> tuple[Supporter, ...]:
        found = [one for (place, ask, _), one in self._tables.supporters.items() if (place, ask) == (workspace, ask_id)]
        return tuple(sorted(found, key=lambda one: (one.at, one.person)))

    async def claim_cards(
        self, ownership: Ownership, limit: int, now: datetime, *, after: Ask | None = None
    ) -> list[Ask]:
        self._tables.end_lapsed(now)
        behind = [
            ask
            for ask in self._tables.asks.values()
            if ask.card_version < ask.version
            and (after is None or _age(ask) > _age(after))
            and (owned_by(ownership, ask) or self._tables.free_for(ownership, ask, now))
        ]
        oldest = sorted(behind, key=_age)[:limit]
        for ask in oldest:
            self._change(ask.workspace, ask.id, owner=ownership.owner, epoch=ownership.epoch)
        return [await self.ask(ask.workspace, ask.id) for ask in oldest]

    async def card_intended(self, workspace: str, ask_id: str) -> None:
        self._change(workspace, ask_id, card_posting=True)

    async def card_posted(self, workspace: str, ask_id: str, card_ts: str, version: int) -> None:
        self._change(workspace, ask_id, card_posting=False, card_ts=card_ts, card_version=version)
        ask = self._tables.asks.get((workspace, ask_id))
        thread = None if ask is None else self._tables.threads[workspace, ask.thread_id]
        if thread is not None and thread.root_ts is None:
            self._put_thread(replace(thread, root_ts=card_ts))

    async def card_drawn(self, workspace: str, ask_id: str, version: int) -> None:
        self._change(workspace, ask_id, card_version=version)

    async def thread_gone(self, workspace: str, ask_id: str, root_ts: str) -> None:
        ask = self._tables.asks.get((workspace, ask_id))
        thread = None if ask is None else self._tables.threads[workspace, ask.thread_id]
        if thread is not None and thread.root_ts == root_ts:
            self._put_thread(replace(thread, root_ts=None))
        self._change(workspace, ask_id, card_posting=True, card_ts=None, card_version=0)

    async def card_lost(self, workspace: str, ask_id: str) -> None:
        self._change(workspace, ask_id, card_posting=False, card_ts=None, card_version=0)

    def _change(self, workspace: str, ask_id: str, **values: Any) -> None:
        ask = self._tables.asks.get((workspace, ask_id))
        if ask is not None:
            self._tables.asks[workspace, ask_id] = replace(ask, **values)

    def _find_ask(self, **wanted: object) -> Ask | None:
        asks = sorted(self._tables.asks.values(), key=_age)
        matching = (ask for ask in asks if all(getattr(ask, name) == value for name, value in wanted.items()))
        found = next(matching, None)
        return None if found is None else self._with_root(found)

    def _with_root(self, ask: Ask) -> Ask:
        return replace(ask, root_ts=self._tables.threads[ask.workspace, ask.thread_id].root_ts)

    def _put_thread(self, thread: Thread) -> None:
        rooted = (thread.workspace, thread.channel, thread.root_ts)
        for other in self._tables.threads.values():
            same = (other.workspace, other.channel, other.root_ts) == rooted
            if same and other.root_ts is not None and other.id != thread.id:
                raise Inconsistent("threads.workspace, threads.channel, threads.root_ts")
        self._tables.threads[thread.workspace, thread.id] = thread


def _age(ask: Ask) -> tuple[datetime, str]:
    return ask.created_at, ask.id
