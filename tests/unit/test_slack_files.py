"""Files from Slack, over the sandbox's Slack: what is had, what is not and in which words, and where the token goes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.access import Member
from bot.domain.recipe import MediaKind
from bot.fetch import GuardedFetcher
from bot.ports import (
    Asker,
    ChatError,
    Directory,
    Download,
    FetchError,
    FileTooLarge,
    FileUnavailable,
    LinkRedirected,
    SourceFile,
    Unavailable,
)
from bot.sandbox.server import Sandbox
from handlers.directory import SlackDirectory
from handlers.files import SlackFiles, hosts_behind
from handlers.grammar.slack_text import file_behind
from tests.sandbox.driver import Workspace
from tests.support.clock import SettableClock
from tests.support.loopback import Asked, Loopback, answering, serving, whole
from tests.support.services import People

PICTURE = bytes(range(256)) * 64
LARGEST = 1_000_000
API = "https://slack.com/api/"
FILES = "https://files.slack.com/files-pri/T1-F1"
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Rig:
    """The sandbox's Slack, its people, and our way to its files."""

    studio: Workspace
    files: SlackFiles

    async def put(self, name: str, data: bytes = PICTURE, *, user: str = "maya", channel: str = "#dailies") -> str:
        """A file that somebody posts; its id."""
        ts = await self.studio.say(user, f"look: {name}", channel=channel, files=[(name, data)])
        (message,) = [one for one in await self.studio.messages(channel=channel) if one["ts"] == ts]
        return str(message["files"][0]["id"])

    async def read(self, file: SourceFile, largest: int = LARGEST) -> bytes:
        async with self.files.open(file, largest=largest) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def downloads(self) -> int:
        """How often the bytes of a file were asked for."""
        return len(await self.studio.calls("download"))


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        server = Sandbox(data_dir=tmp_path, config={"share_delay": 30})
        await server.start()
        stack.push_async_callback(server.close)
        env = server.environment()
        studio = Workspace(slack=server.slack_origin, providers=server.providers_origin, environment=env)
        stack.push_async_callback(studio.close)
        yield Rig(studio=studio, files=reaching(stack, env["SLACK_API_URL"], env["SLACK_BOT_TOKEN"]))


def reaching(stack: AsyncExitStack, api_url: str, token: str, people: Directory | None = None) -> SlackFiles:
    fetcher = GuardedFetcher(clock=SettableClock(), allowed_hosts=hosts_behind(api_url))
    stack.push_async_callback(fetcher.close)
    client = AsyncWebClient(token=token, base_url=api_url, retry_handlers=[], timeout=5)
    return SlackFiles(client=client, fetcher=fetcher, directory=people or SlackDirectory(client), api_url=api_url)


async def unavailable(call: Any) -> tuple[Unavailable, str]:
    with pytest.raises(FileUnavailable) as caught:
        await call
    assert caught.value.lasting is (caught.value.reason is not Unavailable.PROCESSING)
    return caught.value.reason, caught.value.what


# --- what is had -----------------------------------------------------------------------------------------------------


async def test_what_people_attach_is_described_and_comes_whole(rig: Rig) -> None:
    kinds = {
        "mug.png": MediaKind.IMAGE,
        "walk.mov": MediaKind.VIDEO,
        "hello.mp3": MediaKind.AUDIO,
        "Maya's mug, é & 100% #1.heic": MediaKind.IMAGE,  # Slack does not know its type yet
        "notes.txt": None,
        "no ending": None,
    }
    for number, (name, kind) in enumerate(kinds.items()):
        file_id = await rig.put(name, PICTURE + bytes([number]))
        file = await rig.files.describe(file_id)
        assert replace(file, url="") == SourceFile(id=file_id, name=name, kind=kind, size=len(PICTURE) + 1, url="")
        assert file.url not in repr(file)
        assert await rig.read(file) == PICTURE + bytes([number])
    assert await rig.downloads() == len(kinds)


async def test_a_photograph_of_a_phone_has_its_type_a_little_later(rig: Rig) -> None:
    await rig.studio.configure(share_delay=0.05)
    file_id = await rig.put("IMG_0001.HEIC")
    told = await rig.studio.wait_until(
        lambda state: state["files"][file_id]["mimetype"] and state["files"][file_id], what="Slack knows its type"
    )
    assert (told["mimetype"], told["filetype"]) == ("image/heic", "heic")
    assert (await rig.files.describe(file_id)).kind is MediaKind.IMAGE


@pytest.mark.row("F17")
async def test_a_file_of_another_organisation_is_known_by_its_id(rig: Rig) -> None:
    file_id = await rig.put("agency.png", user="olga")
    (message,) = await rig.studio.messages()
    assert message["files"] == [
        {
            "id": file_id,
            "mode": "file_access",
            "file_access": "check_file_info",
            "created": 0,
            "timestamp": 0,
            "user": "",
        }
    ]
    file = await rig.files.describe(file_id)
    assert (file.name, file.kind) == ("agency.png", MediaKind.IMAGE)
    assert await rig.read(file) == PICTURE


# --- what is not -----------------------------------------------------------------------------------------------------


@pytest.mark.row("F17")
async def test_what_cannot_be_had_says_why_and_what_to_do(rig: Rig) -> None:
    studio, describe = rig.studio, rig.files.describe
    drive = await studio.post(
        "/file", action="external", user="maya", name="brief.png", url="https://drive.example/brief.png?key=secret"
    )
    await studio.post("/message", user="maya", channel="#dailies", text="brief", files=[drive["file"]])
    assert await unavailable(describe(drive["file"])) == (
        Unavailable.EXTERNAL,
        "brief.png only stands in Slack as a link and lies elsewhere.",
    )
    old = await rig.put("old.png")
    await studio.post("/file", action="hide", file=old)
    assert (await unavailable(describe(old)))[0] is Unavailable.HIDDEN
    await studio.post("/file", action="show", file=old)
    assert (await describe(old)).name == "old.png"
    await studio.post("/file", action="delete", file=old)
    assert await unavailable(describe(old)) == (Unavailable.GONE, "The file was deleted from Slack.")
    lobby = await rig.put("lobby.png", channel="#lobby")
    for unseen in (lobby, "F0NOWHERE00"):
        assert await unavailable(describe(unseen)) == (
            Unavailable.NO_ACCESS,
            "Slack does not let Dailies read the file.",
        )
    await studio.post("/token", scopes=["chat:write"])
    assert (await unavailable(describe(lobby)))[0] is Unavailable.NO_ACCESS
    assert await rig.downloads() == 0


async def test_who_may_not_be_shown_a_file_is_not_told_its_name(rig: Rig) -> None:
    """Somebody else's, from their own conversation with the app or from a private channel that the app is in, cannot
    be told from one that the app itself does not see."""
    studio = rig.studio
    state = await studio.state()
    users = {person["name"]: key for key, person in state["users"].items()}
    channels = {f"#{channel['name']}": key for key, channel in state["channels"].items()}
    maya, ben = users["maya"], users["ben"]
    board = await studio.post("/channel", action="create", name="board", private=True, members=["ben", "dailies"])
    await studio.say("ben", "for your eyes only", channel="dm", files=[("dm.png", PICTURE)])
    (in_dm,) = [key for key, file in (await studio.state())["files"].items() if file["name"] == "dm.png"]
    on_board = await rig.put("board.png", user="ben", channel=board["channel"])
    in_public = await rig.put("public.png", user="ben")
    nowhere = await unavailable(rig.files.describe("F0NOWHERE00"))
    for file_id, place in ((in_dm, None), (on_board, board["channel"])):
        assert await unavailable(rig.files.describe(file_id, Asker(people=frozenset({maya}), channel="C0"))) == nowhere
        answers_for_it = Asker(people=frozenset({maya, ben}), channel="C0")
        assert (await rig.files.describe(file_id, answers_for_it)).id == file_id
        if place is not None:
            there = Asker(people=frozenset({maya}), channel=place)
            assert (await rig.files.describe(file_id, there)).name == "board.png"
    anybody = Asker(people=frozenset({maya}), channel="C0")
    assert (await rig.files.describe(in_public, anybody)).name == "public.png"
    for visitor in (users["gus"], users["olga"]):
        # Guests and people of other organisations are in some channels and cannot open the others.
        alone = Asker(people=frozenset({visitor}), channel="C0")
        assert await unavailable(rig.files.describe(in_public, alone)) == nowhere
        there = replace(alone, channel=channels["#dailies"])
        from_the_cast = replace(alone, people=frozenset({visitor, maya}))
        for asker in (there, from_the_cast):
            assert (await rig.files.describe(in_public, asker)).name == "public.png"
    for action in ("hide", "delete"):
        await studio.post("/file", action=action, file=on_board)
        with pytest.raises(FileUnavailable) as caught:
            await rig.files.describe(on_board, anybody)
        assert "board" not in str(caught.value)
    assert await rig.downloads() == 0


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({}, False),
        ({"user": "U1"}, True),
        ({"user": ""}, False),
        ({"user": None, "shares": []}, False),
        ({"user": "U2", "is_public": True}, True),
        ({"user": "U2", "is_public": "yes"}, False),
        ({"user": "U2", "shares": {"public": {"C7": []}}}, True),
        ({"user": "U2", "shares": {"public": {}}}, False),
        ({"user": "U2", "shares": {"private": {"C7": []}}}, False),
        ({"user": "U2", "shares": {"private": {"C1": []}}}, True),
        ({"user": "U2", "groups": ["C1"]}, True),
        ({"user": "U2", "ims": ["D1"], "groups": "C1"}, False),
    ],
)
async def test_a_file_is_shown_to_who_gave_it_and_to_who_stands_where_it_stands(told: Json, shown: bool) -> None:
    good = {"id": "F1", "name": "a.png", "url_private": "https://files.slack.com/files-pri/T1-F1/a.png"}
    external = {"mode": "external", "is_external": True}
    async with told_by([{"ok": True, "file": good | told | more} for more in ({}, external)]) as (files, _):
        asker = Asker(people=frozenset({"U1"}), channel="C1")
        for reason in (None, Unavailable.EXTERNAL):
            try:
                found: Any = (await files.describe("F1", asker)).name
            except FileUnavailable as error:
                found = error.reason
            assert found == ((reason or "a.png") if shown else Unavailable.NO_ACCESS)


async def test_of_a_public_file_it_is_waited_for_slacks_word_on_who_asks() -> None:
    """What nobody knows of a person is no yes, and no end of the ask either."""

    class Silent(People):
        async def member(self, person: str) -> Member | None:
            raise ChatError("ratelimited", retry_after_seconds=7)

    public = {"id": "F1", "name": "a.png", "url_private": f"{FILES}/a.png", "is_public": True, "user": "U2"}
    asker = Asker(people=frozenset({"U1"}), channel="C1")
    async with told_by([{"ok": True, "file": public}] * 2, Silent()) as (files, _):
        with pytest.raises(FetchError, match=r"^Slack answered ratelimited\. Try again later\.$") as caught:
            await files.describe("F1", asker)
        assert (caught.value.lasting, caught.value.retry_after_seconds) == (False, 7)
        assert (await files.describe("F1", replace(asker, people=frozenset({"U2"})))).name == "a.png"
    async with told_by([{"ok": True, "file": public}], People(unknown=["U1"])) as (files, _):
        assert (await unavailable(files.describe("F1", asker)))[0] is Unavailable.NO_ACCESS


@pytest.mark.row("F16")
async def test_a_login_page_is_no_file(rig: Rig) -> None:
    """However it comes: by a redirect, since the token lost its scope; as the answer itself; or as 404."""
    file = await rig.files.describe(await rig.put("mug.png"))
    await rig.studio.fault("slack:download", "before", "html", times=1)
    assert await unavailable(rig.read(file)) == (Unavailable.NO_ACCESS, "Slack does not let Dailies read mug.png.")
    scopes = (await rig.studio.post("/token"))["scopes"]
    await rig.studio.post("/token", scopes=["chat:write"])
    assert (await unavailable(rig.read(file)))[0] is Unavailable.NO_ACCESS
    await rig.studio.post("/token", scopes=scopes)
    await rig.studio.post("/channel", action="leave", channel="#dailies", user="dailies")
    assert (await unavailable(rig.read(file)))[0] is Unavailable.NO_ACCESS
    await rig.studio.post("/channel", action="join", channel="#dailies", user="dailies")
    assert await rig.read(file) == PICTURE
    await rig.studio.post("/file", action="delete", file=file.id)
    assert await unavailable(rig.read(file)) == (Unavailable.GONE, "mug.png was deleted from Slack.")


@pytest.mark.row("F18")
async def test_what_is_too_large_is_not_begun_or_not_ended(rig: Rig) -> None:
    file = await rig.files.describe(await rig.put("film.mov"))
    with pytest.raises(FileTooLarge, match=r"^film\.mov has 16,384 bytes; at most 16,383 bytes can be taken\."):
        await rig.read(file, len(PICTURE) - 1)
    assert await rig.downloads() == 0
    for size in (None, 5):  # what Slack says of a size may be wrong
        with pytest.raises(FileTooLarge, match=r"^film\.mov has 16,384 bytes; at most 100 bytes can be taken\."):
            await rig.read(replace(file, size=size), 100)
    await rig.studio.fault("slack:download", "before", "endless", times=1)
    with pytest.raises(FileTooLarge, match=r"^film\.mov is larger; at most 1 MB can be taken\."):
        await rig.read(file)


# --- what passes -----------------------------------------------------------------------------------------------------


async def test_what_passes_is_told_apart(rig: Rig) -> None:
    file_id = await rig.put("mug.png")
    file = await rig.files.describe(file_id)

    async def failing(point: str, phase: str, kind: str, **action: Any) -> float | None:
        await rig.studio.fault(point, phase, kind, times=-1, **action)
        with pytest.raises(FetchError) as caught:
            await (rig.files.describe(file_id) if point == "slack:files.info" else rig.read(file))
        assert (type(caught.value), caught.value.lasting) == (FetchError, False), (point, kind)
        assert file.url not in str(caught.value)
        await rig.studio.heal()
        return caught.value.retry_after_seconds

    assert await failing("slack:files.info", "before", "ratelimit", retry_after="7") == 7
    assert await failing("slack:download", "before", "ratelimit", retry_after="9") == 9
    for point in ("slack:files.info", "slack:download"):
        assert await failing(point, "before", "status", status=503) is None
        assert await failing(point, "before", "reset") is None
    assert await failing("slack:files.info", "before", "html") is None
    assert await failing("slack:files.info", "before", "garbage") is None
    assert await failing("slack:download", "amid", "half_body") is None
    assert await rig.read(await rig.files.describe(file_id)) == PICTURE


async def test_a_token_that_slack_refuses_altogether_may_be_mended(rig: Rig) -> None:
    file_id = await rig.put("mug.png")
    for refusal in ("token_revoked", "invalid_auth", "account_inactive"):
        await rig.studio.post("/token", refuse=refusal)
        with pytest.raises(FetchError, match=refusal) as caught:
            await rig.files.describe(file_id)
        assert not caught.value.lasting
    await rig.studio.post("/token", refuse=None)
    assert (await rig.files.describe(file_id)).id == file_id


@asynccontextmanager
async def told_by(answers: list[Any], people: Directory | None = None) -> AsyncIterator[tuple[SlackFiles, Loopback]]:
    """A Slack that says these things of files, one after the other."""

    async def answer(writer: asyncio.StreamWriter, _: Asked) -> None:
        writer.write(whole(200, answers.pop(0), content_type="application/json"))

    async with serving(answer) as server, AsyncExitStack() as stack:
        yield reaching(stack, f"{server.origin}/api/", "xoxb-test", people or People()), server


async def test_what_slack_says_is_doubted() -> None:
    good = {"id": "F1", "name": "a", "url_private": "https://files.slack.com/files-pri/T1-F1/a.png"}
    odd: list[tuple[Json, tuple[MediaKind | None, int | None]]] = [
        ({}, (None, None)),
        ({"size": -1, "mimetype": 7, "filetype": None, "subtype": []}, (None, None)),
        ({"size": True, "mimetype": "image", "mode": None}, (MediaKind.IMAGE, None)),
        ({"size": "12", "filetype": "MP4"}, (MediaKind.VIDEO, None)),
        ({"size": 12, "mimetype": "video/mp4", "subtype": "slack_audio"}, (MediaKind.AUDIO, 12)),
        ({"mimetype": "application/octet-stream", "name": "x.WAV"}, (MediaKind.AUDIO, None)),
        ({"name": None, "title": "a title.jpeg"}, (MediaKind.IMAGE, None)),
    ]
    async with told_by([{"ok": True, "file": good | more} for more, _ in odd]) as (files, _):
        for more, expected in odd:
            file = await files.describe("F1")
            assert (file.kind, file.size) == expected, more
    shapes: list[tuple[Any, Unavailable | None]] = [
        (None, None),
        ("F1", None),
        ({}, Unavailable.PROCESSING),
        ({"url_private": 7, "name": {}}, Unavailable.PROCESSING),
        (good | {"is_external": True}, Unavailable.EXTERNAL),
        (good | {"mode": "external"}, Unavailable.EXTERNAL),
        ({"id": "F1", "mode": "tombstone"}, Unavailable.GONE),
        (good | {"mode": "hidden_by_limit"}, Unavailable.HIDDEN),
        (good | {"file_access": "check_file_info"}, Unavailable.NO_ACCESS),
        (good | {"file_access": "access_denied"}, Unavailable.NO_ACCESS),
    ]
    async with told_by([{"ok": True, "file": shape} for shape, _ in shapes]) as (files, _):
        for shape, reason in shapes:
            with pytest.raises(FetchError) as caught:
                await files.describe("F1")
            assert getattr(caught.value, "reason", None) is reason, shape
            assert caught.value.lasting is (reason not in {None, Unavailable.PROCESSING}), shape


# --- the token -------------------------------------------------------------------------------------------------------

ELSEWHERE = [
    "http://files.slack.com/x",
    "https://slack.com.evil.example/x",
    "https://evilslack.com/x",
    "https://files-slack.com/x",
    "https://slack.com.:443/x",
    "https://files.slack.com:8443/x",
    "https://files.slack.com:80/x",
    "https://files.slack.com@evil.example/x",
    "https://files.slack.com:443@evil.example/x",
    "https://evil.example/@files.slack.com/x",
    "https://evil.example#.slack.com/x",
    "https://evil.example?.slack.com/x",
    "https://evil.example\\.slack.com/x",
    "https://evil.example\\@files.slack.com/x",
    "https://evil.example\t.slack.com/x",
    "https://evil.example%2f.slack.com/x",
    "https://sl\u0430ck.com/x",
    "https://files\u3002slack\u3002com/x",
    "https:files.slack.com/x",
    "https:///files.slack.com/x",
    "//files.slack.com/x",
    "ftp://files.slack.com/x",
    "file:///etc/passwd",
    "https://slack-files.com/T1-F1-abc",
    "https://slack.com/x y",
    "https://slack-edge.com.evil.example/x",
]


@pytest.mark.parametrize("evil", ["{here}/x", "{here}.evil.example/x", "{here}@evil.example/x", "https://127.0.0.1/x"])
async def test_a_file_that_lies_elsewhere_gets_no_token_though_its_host_may_be_fetched_from(evil: str) -> None:
    """The recorder is a host that the operator allowed: it would be connected to."""
    async with serving(answering(200, PICTURE)) as recorder, AsyncExitStack() as stack:
        url = evil.replace("{here}", recorder.origin)
        async with told_by([{"ok": True, "file": {"id": "F1", "name": "x", "url_private": url}}]) as (_, slack):
            fetcher = GuardedFetcher(clock=SettableClock(), allowed_hosts=frozenset({"127.0.0.1"}))
            stack.push_async_callback(fetcher.close)
            api_url = f"{slack.origin}/api/"
            client = AsyncWebClient(token="xoxb-test", base_url=api_url, retry_handlers=[])
            files = SlackFiles(client=client, fetcher=fetcher, directory=People(), api_url=api_url)
            assert (await unavailable(files.describe("F1")))[0] is Unavailable.EXTERNAL
            made_up = SourceFile(id="F1", name="x", kind=None, size=None, url=url)
            with pytest.raises(FileUnavailable):
                async with files.open(made_up, largest=LARGEST):
                    raise AssertionError("it was opened")
        assert recorder.accepted == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_out_of_slack_is_not_followed(rig: Rig, status: int) -> None:
    file = await rig.files.describe(await rig.put("mug.png"))
    async with serving(answering(200, PICTURE)) as recorder:
        for location in (f"{recorder.origin}/x", f"//127.0.0.1:{recorder.port}/x"):
            await rig.studio.fault("slack:download", "before", "redirect", times=1, status=status, location=location)
            assert (await unavailable(rig.read(file)))[0] is Unavailable.NO_ACCESS
        assert recorder.accepted == 0


@dataclass(kw_only=True)
class Hops:
    """``bot.ports.Fetcher``: every address leads on to the next, the last one to the picture."""

    onward: list[str]
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, url: str, *, largest: int | None = None, bearer: str | None = None) -> AsyncIterator[Download]:
        self.asked.append((url, bearer))
        if self.onward:
            raise LinkRedirected("on", location=self.onward.pop(0))
        yield Bytes()


class Bytes:
    content_type = "image/png"

    def __init__(self) -> None:
        self._left = [PICTURE]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


async def had(url: str, *onward: str) -> tuple[Hops, bytes | Unavailable]:
    hops = Hops(onward=list(onward))
    files = SlackFiles(client=AsyncWebClient(token="xoxb-test"), fetcher=hops, directory=People(), api_url=API)
    try:
        source = SourceFile(id="F1", name="x", kind=None, size=None, url=url)
        async with files.open(source, largest=LARGEST) as chunks:
            return hops, b"".join([chunk async for chunk in chunks])
    except FileUnavailable as error:
        return hops, error.reason


async def test_the_token_follows_slacks_own_redirects_and_stays_behind_at_its_edge() -> None:
    hosts = ["https://files.slack.com/a", "https://team.slack.com/b", "https://x.slack-edge.com/c?signature=1"]
    hops, data = await had(*hosts)
    assert hops.asked == [(hosts[0], "xoxb-test"), (hosts[1], "xoxb-test"), (hosts[2], None)]
    assert data == PICTURE


@pytest.mark.parametrize("evil", ELSEWHERE)
async def test_the_token_goes_to_no_other_host(evil: str) -> None:
    assert (await had(evil))[0].asked == []
    hops, data = await had("https://files.slack.com/a", evil)
    assert (hops.asked, data) == ([("https://files.slack.com/a", "xoxb-test")], Unavailable.NO_ACCESS)


async def test_a_circle_within_slack_ends() -> None:
    hops, data = await had(*["https://files.slack.com/a"] * 9)
    assert (len(hops.asked), data) == (4, Unavailable.NO_ACCESS)


@pytest.mark.parametrize(
    ("api_url", "hosts"),
    [
        (API, set()),
        ("https://slack-gov.com/api/", set()),
        ("https://acme.slack.com/api/", set()),
        ("http://127.0.0.1:8000/api/", {"127.0.0.1:8000"}),
        ("http://[::1]:8000/api/", {"[::1]:8000"}),
        ("https://slack.proxy.example/api/", {"slack.proxy.example:443"}),
        ("http://slack.proxy.example/api/", {"slack.proxy.example:80"}),
        ("nonsense", set()),
    ],
)
def test_a_slack_elsewhere_may_be_fetched_from(api_url: str, hosts: set[str]) -> None:
    assert hosts_behind(api_url) == hosts


# --- links to files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "file"),
    [
        ("https://acme.slack.com/files/U012AB3CD/F024BE91L/panda.png", "F024BE91L"),
        ("https://acme.slack.com/files/U012AB3CD/F024BE91L", "F024BE91L"),
        ("https://acme.enterprise.slack.com/files/W012AB3CD/F024BE91L/panda.png?origin_team=T1#x", "F024BE91L"),
        ("https://files.slack.com/files-pri/T0HD00000-F024BE91L/panda.png", "F024BE91L"),
        ("https://files.slack.com/files-pri/T0HD00000-F024BE91L/download/panda.png", "F024BE91L"),
        ("https://files.slack.com/files-tmb/T0HD00000-F024BE91L-0ab1/panda_360.png", "F024BE91L"),
        ("https://slack-files.com/T0HD00000-F024BE91L-0ab1cd", "F024BE91L"),
        ("https://acme.slack-gov.com/files/U012AB3CD/F024BE91L/panda.png", "F024BE91L"),
        ("https://acme.slack.com/archives/C012AB3CD/p1700000000000000", None),
        ("https://acme.slack.com/files/U012AB3CD", None),
        ("https://acme.slack.com/files/U012AB3CD/X024BE91L/panda.png", None),
        ("https://acme.slack.com/files/U012AB3CD/F" + "0" * 40 + "/panda.png", None),
        ("https://acme.slack.com.evil.example/files/U012AB3CD/F024BE91L/panda.png", None),
        ("https://evilslack.com/files/U012AB3CD/F024BE91L/panda.png", None),
        ("https://user@acme.slack.com/files/U012AB3CD/F024BE91L/panda.png", None),
        ("http://acme.slack.com/files/U012AB3CD/F024BE91L/panda.png", None),
        ("https://example.com/files/U012AB3CD/F024BE91L/panda.png", None),
        ("https://[acme/files/U012AB3CD/F024BE91L/panda.png", None),
        ("https://acme.slack.com/files/U012AB3CD/F024BE91L/pan da.png", None),
        ("F024BE91L", None),
        ("", None),
    ],
)
def test_a_link_to_a_file_names_it(link: str, file: str | None) -> None:
    assert file_behind(link, api_url=API) == file_behind(link) == file


async def test_a_link_that_slack_gives_leads_to_its_file(rig: Rig) -> None:
    file_id = await rig.put("a mug.png")
    (message,) = await rig.studio.messages()
    permalink = message["files"][0]["permalink"]
    assert file_behind(permalink, api_url=rig.studio.environment["SLACK_API_URL"]) == file_id
    assert file_behind(permalink) is None


async def test_nothing_is_waited_for_longer_than_a_call_may_take(rig: Rig) -> None:
    """``files.info`` is bounded by the client's own time; the bytes by the fetch guard's."""
    file_id = await rig.put("mug.png")
    client = AsyncWebClient(
        token=rig.studio.environment["SLACK_BOT_TOKEN"],
        base_url=rig.studio.environment["SLACK_API_URL"],
        retry_handlers=[],
        timeout=1,
    )
    await rig.studio.fault("slack:files.info", "before", "hang", times=1)
    files = SlackFiles(client=client, fetcher=Hops(onward=[]), directory=People(), api_url=client.base_url)
    began = time.monotonic()
    with pytest.raises(FetchError) as caught:
        await files.describe(file_id)
    assert not caught.value.lasting
    assert time.monotonic() - began < 4
