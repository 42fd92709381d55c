"""A bot as it is written on a first day, over the same parts: the same commands, adapters, Slack library and pretend
far ends as Dailies. The fault harness plays the same scripts with it, so that a table can show what the care costs and
what it buys.

What it does as tutorials do, each a habit that this project gave up on purpose:

- it answers Slack first and works afterwards; nothing is on disk, and a delivery that comes twice is worked on twice;
- slack_sdk repeats a call whose connection broke, which is its default;
- the billed POST is sent again after a 5xx, a timeout or a broken answer, with a growing pause, three times (the retry
  loop of Muapi's integration guide);
- it asks for the status in a loop with a deadline, and calls the clip failed after that or at the first 404;
- the file is put into the thread with ``files_upload_v2`` and the answer is believed;
- the takes of one ask are made side by side, and the card is edited once, when all are over;
- nothing adds up what is spent: it has no budget.

    SLACK_BOT_TOKEN=… SLACK_APP_TOKEN=… HIAPI_API_KEY=… python -m tests.naive
"""

import asyncio
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.lineage import vary
from bot.domain.pricing import dollars
from bot.domain.recipe import Recipe
from bot.ports import (
    OrderAccepted,
    OrderNotSent,
    OrderRefused,
    OrderThrottled,
    OrderUnknown,
    Provider,
    TaskFailed,
    TaskFinished,
    TaskMissing,
)
from bot.settings import Settings
from bot.vendors import make_prices, make_providers
from handlers.chat import CARD_EVENT
from handlers.grammar import ClipRequest, parse_clip

TRIES = 3
THROTTLED_SECONDS = 1.0
POLL_SECONDS = 0.3
POLL_FOR_SECONDS = 20.0
"""The guide polls every 6 s for 240 s; the pretend providers render in a fraction of a second."""

TOOK, ENDED = "naive.took", "naive.ended"
"""Words on standard output by which the harness knows whether anything is in hand: an ask, or a take of one, is begun;
it is over."""


class Failed(Exception):
    """What the person is told."""


class NaiveBot:
    """Everything that the bot knows is in its tasks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._providers = make_providers(settings)
        self._prices = make_prices(settings)
        self._client = AsyncWebClient(
            token=_secret(settings.slack_bot_token), base_url=settings.slack_api_url, timeout=15
        )
        self._http = httpx.AsyncClient(timeout=15, trust_env=False)
        self._working: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Work until the process is told to stop."""
        app = AsyncApp(client=self._client, request_verification_enabled=False)

        @app.command("/clip")
        async def clip(ack: AsyncAck, command: dict[str, Any]) -> None:
            """Answer, then make it."""
            await ack("On it!")
            task = asyncio.create_task(self._make(command["channel_id"], str(command.get("text") or "")))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

        handler = AsyncSocketModeHandler(app, _secret(self._settings.slack_app_token))
        await handler.connect_async()  # type: ignore[no-untyped-call] # slack_bolt has no types here
        _say("dailies.started")  # the word by which the harness knows that a start is over
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()

    async def _make(self, channel: str, text: str) -> None:
        """One ask, from its card to its last word."""
        with _in_hand():
            await self._from_card_to_clips(channel, text)

    async def _from_card_to_clips(self, channel: str, text: str) -> None:
        asked = parse_clip(text)
        if not isinstance(asked, ClipRequest):
            return
        recipe = vary(Recipe(prompt=asked.prompt), asked.changes)
        name = asked.provider or next(iter(self._providers))
        card = _Card(self._client, channel, asked.prompt, takes=asked.changes.takes or 1)
        await card.post()
        await asyncio.gather(*(self._take(card, number, name, recipe) for number in card.rows))
        await card.edit()

    async def _take(self, card: "_Card", number: int, name: str, recipe: Recipe) -> None:
        """One clip of the ask. What nobody thought of ends the ask without a last word; other takes go on."""
        provider, price = self._providers[name], self._prices.quote(recipe, name)
        with _in_hand():
            try:
                link = await self._wait(provider, await self._order(provider, recipe))
                await card.upload(number, await self._fetch(link))
            except (Failed, TimeoutError, httpx.HTTPError):
                # What a bot believes that has no books.
                card.rows[number] = "*failed*: Nothing was charged."
            else:
                card.rows[number] = f"*delivered*: {dollars(price.micro_usd)} was charged."

    async def _order(self, provider: Provider, recipe: Recipe) -> str:
        """The task's id. A key that is new at each try protects nothing."""
        for attempt in range(TRIES):
            outcome = await provider.submit(provider.order(recipe, secrets.token_hex(8)))
            match outcome:
                case OrderAccepted(task_id=task_id):
                    return task_id
                case OrderThrottled(retry_after_seconds=seconds):
                    await asyncio.sleep(min(seconds or THROTTLED_SECONDS, THROTTLED_SECONDS))
                case OrderUnknown() | OrderNotSent():
                    await asyncio.sleep(0.1 * 2**attempt)
                case OrderRefused():
                    break
        raise Failed("not ordered")

    async def _wait(self, provider: Provider, task_id: str) -> str:
        """The link of the finished clip."""
        async with asyncio.timeout(POLL_FOR_SECONDS):
            while True:
                match await provider.look(task_id):
                    case TaskFinished(url=url):
                        return url
                    case TaskFailed() | TaskMissing():
                        raise Failed("not rendered")
                await asyncio.sleep(POLL_SECONDS)

    async def _fetch(self, url: str) -> bytes:
        answer = await self._http.get(url)
        answer.raise_for_status()
        return answer.content


class _Card:
    """The message that says how an ask stands, and its thread."""

    def __init__(self, client: AsyncWebClient, channel: str, prompt: str, *, takes: int) -> None:
        self._client = client
        self._channel = channel
        self._prompt = prompt
        self._metadata = {"event_type": CARD_EVENT, "event_payload": {"ask": secrets.token_hex(8)}}
        self._ts = ""
        self.rows = dict.fromkeys(range(1, takes + 1), "*rendering*")
        """How each take stands, and what it cost."""

    async def post(self) -> None:
        """Say that they are being made."""
        answer = await self._client.chat_postMessage(channel=self._channel, text=self._text(), metadata=self._metadata)
        self._ts = str(answer["ts"])

    async def edit(self) -> None:
        """Say how they ended."""
        await self._client.chat_update(channel=self._channel, ts=self._ts, text=self._text(), metadata=self._metadata)

    async def upload(self, number: int, clip: bytes) -> None:
        """Put the file into the thread."""
        try:
            await self._client.files_upload_v2(
                content=clip,
                filename="clip.mp4",
                channel=self._channel,
                thread_ts=self._ts,
                initial_comment=f"*#{number}* {self._prompt}",
            )
        except SlackApiError as error:
            raise Failed("not uploaded") from error

    def _text(self) -> str:
        return "\n".join([self._prompt, *(f"*#{number}* · {row}" for number, row in self.rows.items())])


@contextmanager
def _in_hand() -> Iterator[None]:
    """Say that this is begun, and that it is over, however it ends."""
    _say(TOOK)
    try:
        yield
    finally:
        _say(ENDED)


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def _secret(value: Any) -> str:
    return str(value.get_secret_value()) if value is not None else ""


if __name__ == "__main__":
    asyncio.run(NaiveBot(Settings()).run())
