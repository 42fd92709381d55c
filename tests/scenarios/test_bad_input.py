"""What people mistype: answered privately, in words, and free. And what only looks mistyped: made as it was meant.

One bot for the whole table. Nothing in it may cost money, reach the provider, or ping anybody.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.sandbox.driver import CHANNEL, Json
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage

pytestmark = [HTTP_IN_THE_STORM, pytest.mark.asyncio(loop_scope="module")]

BEN = "<@U0BEN00002>"
LIVE = re.compile(r"<!(?:channel|here|everyone|subteam)|<@U0BEN00002|<https?:|\u202e")
"""What would ping, link or turn text around if it came to life in a message of ours. Only maya asks here, so no
message has a reason to name ben."""

COMMANDS = {
    # Options that there are not.
    "a mug --takse 3": ("“--takse”", "--takes"),
    "a mug --resolution 720p": ("“--resolution”", "--res"),
    "a mug --frobnicate": ("“--frobnicate”",),
    "a mug --TAKSE=3": ("“--TAKSE”", "--takes"),
    # Ill values.
    "a mug --res 900p": ("“900p”", "480p, 720p, 1080p"),
    "a mug --res=4k": ("“4k”", "480p, 720p, 1080p"),
    'a mug --res "720 p"': ("“720 p”",),
    "a mug --dur ten": ("“ten”", "4 to 15"),
    "a mug --dur 4.5": ("“4.5”", "4 to 15"),
    "a mug --ratio 7:3": ("“7:3”", "16:9"),
    "a mug --ar wide": ("“wide”", "16:9"),
    "a mug --seed abc": ("“abc”", "2147483647"),
    "a mug -n=few": ("“few”", "1 to 8"),
    "a mug --takes ½": ("“½”", "1 to 8"),
    "a mug --takes ３": ("“３”", "1 to 8"),
    "a mug --tier !!": ("“!!”", "mini"),
    "a mug --provider ;drop": ("“;drop”",),
    # Out of range.
    "a mug --takes 0": ("“0”", "1 to 8"),
    "a mug --takes 9": ("“9”", "1 to 8"),
    "a mug --takes -1": ("“-1”", "1 to 8"),
    "a mug -n 99999999999999999999": ("99999999999999999999", "1 to 8"),
    "a mug --dur 3": ("“3”", "4 to 15"),
    "a mug --dur 16s": ("“16s”", "4 to 15"),
    "a mug --seed 2147483648": ("“2147483648”", "2147483647"),
    "a mug --seed -5": ("“-5”",),
    # Missing values, values for switches, contradictions.
    "a mug --seed": ("“--seed”", "needs a value"),
    "a mug --no": ("“--no”", "needs a value"),
    "a mug --res --dur 8": ("“--res”", "needs a value"),
    "a mug --ratio=": ("“--ratio”", "needs a value"),
    "a mug --hq=yes": ("“yes”", "“--hq”"),
    "a mug --audio off": ("“off”", "“--audio”"),
    "a mug --res 480p --res 720p": ("“--res 480p”", "“--res 720p”"),
    "a mug --audio --no-audio": ("“--audio”", "“--no-audio”"),
    "a mug --takes 2 -n 3": ("“--takes 2”", "“-n 3”"),
    # No prompt, or too much of it.
    "--takes 3": ("“--takes 3”", "what should the clip show"),
    "--estimate": ("“--estimate”", "what should the clip show"),
    "...": ("“...”", "what should the clip show"),
    "--res 720p --": ("what should the clip show",),
    "x" * 20_001: ("20,001 characters", "20,000"),
    # What the providers that are set up cannot do.
    "a mug --provider nosuch": ("“nosuch”", "hiapi"),
    "a mug --provider muapi": ("“muapi”", "hiapi"),
    "a mug --tier pro": ("“pro”", "mini"),
    "a mug --res 1080p": ("“1080p”", "480p"),
    "a mug --ratio 3:2": ("“3:2”", "16:9"),
    "a mug --seed 7": ("seed", "“7”"),
    "a mug --no text, logos": ("“text, logos”",),
    "a mug --hq": ("--hq",),
    "a mug --edit https://example.com/mug.mp4": ("--edit", "EmpirioLabs could make it"),
    "a mug --extend https://example.com/mug.mp4": ("--extend", "EmpirioLabs could make it"),
    "a mug --loop --first https://example.com/mug.png --ref https://example.com/mug.png": ("--ref", "either frames"),
    # Files that are not there, or cannot be read.
    "@Image1 dancing": ("“@Image1”",),
    "like @Video2 but slower": ("“@Video2”",),
    "a mug --first mug.png": ("“mug.png”", "https link to a picture"),
    "a mug --first http://example.com/mug.png": ("https link to a picture",),
    "a mug --ref https://example.com/mug.exe": ("mug.exe", ".mp4"),
    "a mug --last=https://example.com/mug.png": ("“--last”", "--first"),
    "a mug --loop": ("“--loop”", "--first"),
    # What is to come.
    "a mug --first https://files.slack.com/mug.png": ("is not a value for --first", "its link in Slack"),
    "a mug --edit #1": ("#1 names a clip of a thread", "Reply in the thread"),
    "a mug --extend #1": ("#1 names a clip of a thread", "Reply in the thread"),
    "mugs --each": ("“--each”", "not available yet"),
    "a {red, blue} mug": ("“{red, blue}”", "not available yet"),
    "jobs": ("jobs", "not available yet"),
    "usage 2026-13": ("“2026-13”", "no month"),
    # Traps in what is quoted back.
    "a mug --res <!channel>": ("“channel”",),
    "a mug --res <!here>": ("“here”",),
    "a mug --ratio @ben": ("“@ben”",),
    f"a mug --ratio {BEN}": ("“@U0BEN00002”",),
    "a mug --res <https://evil.example|720p>": ("evil.example",),
    "a mug --res `*_~<&>": ("not a value for --res",),
    "a mug --res \u202e900p": ("“900p”",),
    "a mug --res 900\u200bp": ("“900p”",),
    "a mug --res 900\x00p\x07": ("“900p”",),
    "a mug --res 900\ud800p": ("“900p”",),
    "a mug --res :rocket:": ("rocket", "480p"),
}
"""What is typed after ``/clip``, and what the answer has in it."""

HELP = ("", "    ", "\u00a0\u200b\u2060\u3164", "help", "HELP", "--help", "?")
"""Not a word to make anything of: help."""

REPLIES = {
    "#99 9:16": ("no clip #99", "only #1"),
    "#0 9:16": ("no clip #0", "only #1"),
    "promote #99": ("no clip #99",),
    "#1 30s": ("“30s”", "4 to 15"),
    "#1 900p": ("“900p”", "480p"),
    "#1 7:3": ("“7:3”", "16:9"),
    "#1 x9": ("“x9”", "1 to 8"),
    "#1 9:16 1:1": ("“9:16”", "“1:1”"),
    "#1 --takse 3": ("“--takse”", "--takes"),
    "#1 --res": ("“--res”", "needs a value"),
    "#1 --provider muapi": ("“muapi”", "hiapi"),
    "#1 --final": ("“--final”", "promote #1"),
    "#1 --estimate": ("“--estimate”", "cannot be used in a reply"),
    "#1 --loop": ("“--loop”", "--first"),
    "#1 --extend #1": ("HiAPI cannot make this", "--extend"),
    "#1 --extend #7": ("no clip #7",),
    "#1 --edit https://example.com/mug.mp4": ("--edit", "EmpirioLabs could make it"),
    "#1 seed 7": ("seed", "“7”"),
    "#1 1080p": ("“1080p”", "480p"),
    "#1 3:2": ("“3:2”", "16:9"),
    "#1 --tier pro": ("“pro”", "mini"),
    "#1 --no text": ("“text”",),
    "#1 --res <!channel>": ("“channel”",),
    f"#1 --ratio {BEN}": ("not a value for --ratio",),
    "@dailies promote": ("promote", "number of a clip"),
    "@dailies #1 and #2 at night": ("#1, #2", "one clip"),
    "@dailies @Image1 dancing": ("“@Image1”",),
    "@dailies a {red, blue} one": ("“{red, blue}”", "not available yet"),
}
"""What is said in the thread of clip #1, and what the private answer has in it."""

PROMPTS = {
    "a mug — steam": "a mug — steam",
    "9–5": "9–5",
    "9-5": "9-5",
    "-- hello": "-- hello",
    "a ‒ b ― c": "a ‒ b ― c",
    'he says "hello" twice': 'he says "hello" twice',
    "“curly” and ‘single’": "\"curly\" and 'single'",
    '5" screen': '5" screen',
    "🐼 surfing 🏄‍♀️ 👩‍👩‍👧": "🐼 surfing 🏄‍♀️ 👩‍👩‍👧",
    "rain & thunder < storm > calm": "rain & thunder < storm > calm",
    "*bold* _thin_ ~gone~ `code` :rocket:": "*bold* _thin_ ~gone~ `code` :rocket:",
    "Příliš žluťoučký kůň 日本語 العربية": "Příliš žluťoučký kůň 日本語 العربية",
    "two\nlines  and   blanks": "two lines and blanks",
    "a\u200b mug\x00 of\x07 tea\u202e": "a mug of tea",
    "half \ud800of a pair": "half of a pair",
    "<!channel> and <!here> dance": "channel and here dance",
    "@ben waves": "@ben waves",
    f"{BEN} nods": "@U0BEN00002 nods",
    "a mug --<!channel> 3": "a mug channel 3",
    "see <https://evil.example|our site>": "see our site",
    "like https://example.com/x?a=1&b=2 there": "like https://example.com/x?a=1&b=2 there",
    "jobs at a desk": "jobs at a desk",
    "help me up the mountain": "help me up the mountain",
    "a {single} brace": "a {single} brace",
    "an @imagination": "an @imagination",
    ("long " * 2400).strip(): ("long " * 2400).strip(),
}
"""What is typed after ``/clip``, and the prompt that the provider is to get, character by character."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(stage: MakeStage, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One workspace and one bot for all of them, with clip #1 in a thread."""
    place: Path = tmp_path_factory.mktemp("bad-input")
    async with stage(place, PROVIDER_CONCURRENCY="30", CONFIRM_ABOVE_USD="0.5") as made:
        await made.provider(fidelity="cached", render_seconds=[0.05, 0.1])
        await made.studio.slash("maya", "/clip a red panda")
        await made.clips(1)
        await made.at_rest()
        yield made


@pytest.mark.parametrize("text", COMMANDS, ids=lambda text: ascii(text[:40]))
async def test_a_mistaken_command_is_explained_and_costs_nothing(play: Stage, text: str) -> None:
    before = await traces(play)

    answer = await slash(play, text)

    said = private(answer)
    for part in COMMANDS[text]:
        assert part in said, said
    assert said.count("Nothing was charged.") == 1, said
    assert harmless(answer["payload"])
    assert await traces(play) == before


@pytest.mark.parametrize("text", HELP, ids=ascii)
async def test_nothing_to_make_gets_help(play: Stage, text: str) -> None:
    before = await traces(play)

    said = private(await slash(play, text))

    assert "makes one draft" in said
    assert await traces(play) == before


@pytest.mark.parametrize("text", REPLIES, ids=lambda text: ascii(text[:40]))
async def test_a_mistaken_reply_is_explained_to_its_author_alone_and_costs_nothing(play: Stage, text: str) -> None:
    (clip, *_) = await play.clips(1)
    before, told_before = await traces(play), len(await play.studio.ephemerals("maya"))

    await play.studio.say("maya", text, thread=clip)

    told = await told_after(play, told_before)
    for part in REPLIES[text]:
        assert part in told["text"], told["text"]
    assert told["text"].count("Nothing was charged.") == 1
    assert told["thread_ts"] == clip["thread_ts"]
    assert harmless(told)
    assert await traces(play) == before


@pytest.mark.timeout(120)
async def test_what_only_looks_mistyped_is_made_as_it_was_meant(play: Stage) -> None:
    place = (await play.studio.post("/channel", action="create", name="meant", members=["maya", "dailies"]))["channel"]
    before = await play.ledger()
    for text in PROMPTS:
        said = private(await slash(play, text, channel=place))
        assert "is accepted" in said, (text, said)

    await play.at_rest(timeout=60)

    charges = (await play.ledger())[len(before) :]
    assert sorted(charge["prompt"] for charge in charges) == sorted(PROMPTS.values())
    assert len(await play.clip_messages(place)) == len(PROMPTS)
    ours = [message for message in await play.studio.messages(channel=place) if message.get("bot_id")]
    assert len(ours) == 2 * len(PROMPTS)
    assert [message for message in ours if not harmless(message)] == []


async def slash(play: Stage, text: str, *, channel: str = CHANNEL) -> Json:
    """``/clip`` with exactly these characters: httpx's own JSON cannot carry half of a surrogate pair. Nor can a form,
    which is UTF-8: over HTTP Slack has no way to send one, so it is left out."""
    if play.mode == "http":
        text = text.encode(errors="ignore").decode()
    body = {"user": "maya", "channel": channel, "command": "/clip", "text": text}
    response = await play.studio._http.post(
        "/slash", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    answer: Json = response.json()
    return answer


def private(answer: Json) -> str:
    """What the command was answered with, to its author alone."""
    assert answer["acked"], answer
    assert answer["payload"]["response_type"] == "ephemeral"
    return str(answer["payload"]["text"])


async def told_after(play: Stage, count: int) -> Json:
    """The next thing that maya is told alone."""

    def next_one(state: Json) -> Json | None:
        shown = [one for place in state["channels"].values() for one in place["ephemerals"]]
        return shown[count] if len(shown) > count else None

    return await play.studio.wait_until(next_one, what="maya is answered alone")


async def traces(play: Stage) -> Json:
    """Everything that an ask leaves behind when it is taken."""
    tables = ("asks", "jobs", "ledger", "attempts")
    counts = {name: play.bot.rows(f"select count(*) as n from {name}")[0]["n"] for name in tables}
    requests = await play.studio.get("/providers/hiapi/requests")
    ours = [one["ts"] for one in await play.studio.messages() if one.get("bot_id")]
    return {**counts, "orders": requests.get("create", 0), "messages": ours}


def harmless(shown: Json) -> bool:
    """Whether nothing of a person's text came to life."""
    return LIVE.search(json.dumps(shown, ensure_ascii=False)) is None
