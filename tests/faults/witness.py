"""What is to be seen of a case from outside, while a script happens to its bot and afterwards."""

import time

from tests.faults.acts import Moment
from tests.faults.rig import Rig
from tests.faults.scripts import Script
from tests.support.history import Card, cards_of, standing
from tests.support.verdict import Asked, Column, Terms, Verdict, judge


class Witness:
    """Looks at Slack and the providers, and judges by what they show. ``asks`` grows as people ask."""

    def __init__(self, rig: Rig, script: Script) -> None:
        self._rig = rig
        self._script = script
        self._since = time.time() - 0.01
        self.asks: list[Asked] = []
        self.cardless = False
        """There were more asks than cards at the last look."""

    @property
    def terms(self) -> Terms:
        """On which the case is judged."""
        cap = self._script.cap_usd
        return Terms(
            asks=tuple(self.asks),
            allowed=self._script.allowed,
            rendered=self._rig.rendered,
            cap_micro_usd=None if cap is None else round(float(cap) * 1_000_000),
            unbooked=self._script.unbooked,
        )

    async def look(self) -> Verdict:
        """The verdict as things stand: cards first, since before they have ended nothing else matters."""
        cards = await self._cards()
        self.cardless = len(cards) < len(self.asks)
        if any(not card.ended for card in cards):
            return Verdict(broken=((Column.SILENT_ENDS, f"still at work: {[card.text for card in cards]}"),))
        return await self.judged()

    async def judged(self) -> Verdict:
        """Everything that is broken, whether it may still be mended or not."""
        return judge(await self._rig.history(), self.terms, await self._rig.said(self._since))

    async def sees(self, moment: Moment) -> bool:
        """Whether the case has come so far."""
        match moment:
            case "asked":
                return True
            case "card":
                return bool(await self._cards())
            case "charged":
                return bool((await self._rig.history()).charges)
            case "delivered":
                return bool((await self._rig.history()).clips)
            case "over":
                cards = await self._cards()
                return bool(cards) and all(card.ended for card in cards)

    async def effects(self) -> int:
        """Calls so far that move this case."""
        return await self._rig.effects(self._since)

    async def _cards(self) -> list[Card]:
        state = await self._rig.studio.get("/state", channel=self._rig.channel, deliveries=1)
        return cards_of(standing(state, self._rig.channel))
