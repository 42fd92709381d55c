"""Who answers for a file in Slack that an ask names: the app sees more there than any of its people do."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

from bot.domain.job import Ask
from bot.domain.preference_keys import CAST
from bot.domain.preferences import WHOLE_WORKSPACE, PreferencesVersion
from bot.ports import Asker, Storage


@dataclass(frozen=True, kw_only=True)
class Vouching:
    """Looks them up."""

    storage: Storage

    async def asker(self, ask: Ask, file_id: str) -> Asker | None:
        """Who asked; and of a file in the channel's cast, whoever put it there for everybody. None where that was the
        operator: nobody has to be asked about then."""
        people: set[str | None] = {ask.person}
        async with self.storage.read() as tx:
            for subject in (ask.channel, WHOLE_WORKSPACE):
                people.update(_gave(await tx.preferences.history(ask.workspace, subject), file_id))
        known = frozenset(person for person in people if person is not None)
        return Asker(people=known, channel=ask.channel) if len(known) == len(people) else None


def _gave(history: Sequence[PreferencesVersion], file_id: str) -> Iterator[str | None]:
    """Who gave each member of the present cast that file for a picture: others may have changed other things since."""
    named = re.compile(rf"(?<![A-Z0-9]){re.escape(file_id)}(?![A-Z0-9])")
    present = history[-1].values if history else {}
    for key in (key for key, value in present.items() if key.startswith(CAST) and named.search(value)):
        *_, first = takewhile(partial(_has, key, named), reversed(history))
        yield first.changed_by


def _has(key: str, named: re.Pattern[str], version: PreferencesVersion) -> bool:
    return named.search(version.values.get(key, "")) is not None
