"""One bot with every provider: asks that name theirs, each with a trouble of its own, and what became of each.

    troupe = Troupe(rig)
    await troupe.live("muapi", [HANGING_LOOK, *failures("face")])

The witnesses are Slack's messages, the providers' ledgers and counters, and, of our own side, the ledger alone.
"""

import asyncio
import itertools
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bot.domain.failure import LONGEST_DETAIL
from tests.faults.rig import Rig
from tests.faults.troubles import FILLER, Money, Trouble
from tests.sandbox.driver import Json, NeverHappened
from tests.support.history import Card, cards_of, standing

T = TypeVar("T")

NAMES = {
    "apimart": "APIMart",
    "empiriolabs": "EmpirioLabs",
    "hiapi": "HiAPI",
    "muapi": "Muapi",
    "seedanceapi": "seedanceapi.org",
}
"""How people read a provider's name."""

_SHOWN = re.compile("z{20,}")
_PEOPLE = itertools.cycle(("maya", "ben", "chloe"))
_GLANCE_SECONDS = 0.5
"""Between two looks: each is the whole of the sandbox's books, and several stories look."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An ask at a provider, told from all others by a word in its prompt, and the rule that troubles it."""

    provider: str
    trouble: Trouble
    word: str
    rule: int


@dataclass(frozen=True, kw_only=True)
class Look:
    """The outside world at one moment: the channel's messages and the providers' books."""

    messages: Sequence[Json]
    providers: Json

    def card(self, word: str) -> Card | None:
        """The card of the ask with that word."""
        return next((card for card in cards_of(self.messages) if word in card.text), None)

    def message(self, word: str) -> Json:
        """The message of that card."""
        card = self.card(word)
        assert card is not None, word
        return next(one for one in self.messages if one["ts"] == card.ts)

    def charges(self, provider: str, word: str) -> list[Json]:
        """What the provider has charged for that ask, given back or not."""
        return [one for one in self.providers[provider]["ledger"] if word in one["prompt"]]


@dataclass
class Troupe:
    """The asks of one bot, and what is to come of each."""

    rig: Rig
    scenes: list[Scene] = field(default_factory=list)
    _words: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # --- acting ------------------------------------------------------------------------------------------------------

    def word(self) -> str:
        """A word that no other prompt has, in any case."""
        return f"{self.rig.marker}{next(self._words)}w"

    async def ask(self, provider: str, word: str) -> None:
        """An ask for one clip of that provider's, which must be accepted."""
        line = f"/clip a red panda {word} --takes 1 --provider {provider}"
        answer = await self.rig.studio.slash(next(_PEOPLE), line, channel=self.rig.channel)
        assert answer["acked"], answer

    async def live(self, provider: str, troubles: Sequence[Trouble], *, within: float = 60.0) -> list[Scene]:
        """An ask for each of these troubles, all at once, and everything that is to come of them."""
        before = await self._posts(provider)
        scenes = [await self._scene(provider, trouble) for trouble in troubles]
        self.scenes += scenes
        for scene in scenes:
            await self.ask(provider, scene.word)
        await self.until(lambda look: all(_over(look, scene) for scene in scenes), f"{provider} is through", within)
        look, fired = await self.look(), await self.fired()
        broken = [problem for scene in scenes for problem in self._problems(look, scene, fired[scene.rule])]
        posts = await self._posts(provider) - before
        if posts != (wanted := sum(trouble.posts for trouble in troubles)):
            broken.append(f"{posts} billed POSTs reached {provider}, not {wanted}")
        assert not broken, "\n".join(broken)
        return scenes

    async def _scene(self, provider: str, trouble: Trouble) -> Scene:
        word = self.word()
        rule = await self.rig.studio.fault(
            f"{provider}:{trouble.point}",
            trouble.phase,
            trouble.kind,
            match={"prompt": word},
            times=trouble.times,
            **trouble.action,
        )
        return Scene(provider=provider, trouble=trouble, word=word, rule=rule)

    async def _posts(self, provider: str) -> int:
        counted: Json = await self.rig.studio.get(f"/providers/{provider}/requests")
        return int(counted.get("create", 0))

    # --- looking -----------------------------------------------------------------------------------------------------

    async def look(self) -> Look:
        """Everything outside the bot, now."""
        state = await self.rig.studio.get("/state", channel=self.rig.channel, deliveries=1)
        return Look(messages=standing(state, self.rig.channel), providers=state["providers"])

    async def fired(self) -> Mapping[int, int]:
        """How often each rule has struck, by its id."""
        return {int(rule["id"]): int(rule["fired"]) for rule in await self.rig.studio.faults()}

    async def until(self, holds: Callable[[Look], object], what: str, within: float) -> Look:
        """Wait until that holds of a look."""
        deadline = time.monotonic() + within
        while not holds(look := await self.look()):
            assert self.rig.bot.running(), self.rig.bot.log()[-4000:]
            if time.monotonic() > deadline:
                texts = [card.text for card in cards_of(look.messages) if not card.ended]
                raise NeverHappened(f"{what}; cards: {texts}; the log ends: {self.rig.bot.log()[-3000:]}", within)
            await asyncio.sleep(_GLANCE_SECONDS)
        return look

    def sums(self, word: str) -> Json:
        """Our own ledger for that ask: held and settled, and its price, in micro-dollars."""
        (row,) = self.rig.bot.rows(
            "select sum(l.held_micro_usd) as held, sum(coalesce(l.settled_micro_usd, 0)) as settled, "
            "max(j.price_micro_usd) as price from jobs j join ledger l on l.job_id = j.id where j.recipe like ?",
            f"%{word}%",
        )
        return row

    def _problems(self, look: Look, scene: Scene, fired: int) -> Iterator[str]:
        """What is not as the trouble's row of the table says."""
        trouble, card = scene.trouble, look.card(scene.word)
        name = f"{scene.provider}, {trouble.name}"
        if card is None:
            yield f"{name}: no card"
            return
        if set(card.rows.values()) != {trouble.ends}:
            yield f"{name}: ended as {card.rows}, not {trouble.ends}: {card.text}"
        for words in trouble.says:
            if words not in card.text:
                yield f"{name}: the card does not say “{words}”: {card.text}"
        yield from (f"{name}: {problem}" for problem in self._money(look, scene))
        yield from (f"{name}: {problem}" for problem in _quoted(look.message(scene.word), scene))
        if fired < 1 or (trouble.point == "create" and trouble.phase == "before" and fired > trouble.posts):
            yield f"{name}: the fault struck {fired} times"

    def _money(self, look: Look, scene: Scene) -> Iterator[str]:
        """The provider's ledger against ours."""
        trouble = scene.trouble
        charges = look.charges(scene.provider, scene.word)
        kept = [int(one["micro_usd"]) for one in charges if one["status"] != "refunded"]
        if len(charges) > 1 or len(kept) != trouble.charges:
            yield f"charged {len(charges)} times, of which {len(kept)} stand, not {trouble.charges}"
        elsewhere = [one for one in look.providers if one != scene.provider and look.charges(one, scene.word)]
        if elsewhere:
            yield f"charged by {elsewhere} too"
        ours = self.sums(scene.word)
        wanted = {
            Money.RELEASED: (0, 0),
            Money.SETTLED: (0, sum(kept)),
            Money.HELD: (ours["price"], 0),
        }[trouble.money]
        if (ours["held"], ours["settled"]) != wanted:
            yield f"our ledger has {ours}, not {trouble.money} {wanted}"


def _over(look: Look, scene: Scene) -> bool:
    card = look.card(scene.word)
    return card is not None and card.ended


def _quoted(message: Json, scene: Scene) -> Iterator[str]:
    """The provider's words stand on the card, cut, and where nothing comes to life in them."""
    texts = list(_texts(message.get("blocks", [])))
    alive = [message["text"], *(text for kind, text in texts if kind != "plain_text")]
    if any("<!channel>" in text or _SHOWN.search(text) for text in alive):
        yield "the provider's words stand where they come to life"
    said = [text for kind, text in texts if kind == "plain_text" and _SHOWN.search(text)]
    if any(len(text) > LONGEST_DETAIL + 60 for text in said):
        yield f"the provider's words are not cut: {max(map(len, said))} characters"
    lead = f"In {NAMES[scene.provider]}'s words: "
    if scene.trouble.planted and [text.startswith(lead) for text in said] != [True]:
        yield f"the provider's words do not stand on the card once: {said}"


def _texts(value: object) -> Iterator[tuple[str, str]]:
    """Every text object below, as its type and its text."""
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield str(value.get("type")), value["text"]
        for one in value.values():
            yield from _texts(one)


def events(log: str, name: str) -> list[Json]:
    """The log's lines about one event."""
    lines = (json.loads(line) for line in log.splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == name]


def spilled(log: str) -> bool:
    """Whether the provider's endless words stand in the log uncut."""
    return FILLER[: LONGEST_DETAIL + 1] in log


async def together(*stories: Awaitable[T]) -> list[T]:
    """All of them side by side, each to its end, and what came of each; raises what went wrong in any."""
    ended = await asyncio.gather(*stories, return_exceptions=True)
    if wrong := [one for one in ended if isinstance(one, Exception)]:
        raise ExceptionGroup("stories that went wrong", wrong)
    return [one for one in ended if not isinstance(one, BaseException)]
