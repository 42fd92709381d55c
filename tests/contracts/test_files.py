"""``bot.ports.Files``, on every engine."""

from dataclasses import replace

from bot.domain.kept_file import KeptFile
from bot.domain.recipe import MediaKind
from bot.ports import Storage
from tests.contracts.records import NOW, assert_same, later

PANDA = KeptFile(
    workspace="T1",
    source="slack:F1",
    limits="seedance",
    url=f"stored:{'a' * 64}.jpg",
    kind=MediaKind.IMAGE,
    name="panda 🐼.heic",
    mime="image/jpeg",
    size=5_000_000_000,
    sha256="a" * 64,
    width=4000,
    height=3000,
    seconds=None,
    mends=("HEIC made JPEG", "turned upright"),
    at=NOW,
)
SONG = replace(
    PANDA, source="slack:F2", url="https://x.example/a.mp3", kind=MediaKind.AUDIO, width=None, height=None, seconds=4.25
)


async def test_a_file_is_found_by_its_source_and_limits_alone(storage: Storage) -> None:
    async with storage.begin() as tx:
        assert await tx.files.add(PANDA) == PANDA
        assert await tx.files.add(SONG) == SONG

    async with storage.read() as tx:
        assert_same(await tx.files.find("T1", "slack:F1", "seedance"), PANDA)
        assert_same(await tx.files.find("T1", "slack:F2", "seedance"), SONG)
        for other in (("T2", "slack:F1", "seedance"), ("T1", "slack:F3", "seedance"), ("T1", "slack:F1", "others")):
            assert await tx.files.find(*other) is None


async def test_who_comes_second_is_given_what_the_first_kept(storage: Storage) -> None:
    second = replace(PANDA, url=f"stored:{'b' * 64}.jpg", sha256="b" * 64, at=later(1))
    async with storage.begin() as tx:
        await tx.files.add(PANDA)
    async with storage.begin() as tx:
        assert_same(await tx.files.add(second), PANDA)
        assert_same(await tx.files.add(replace(second, limits="others")), replace(second, limits="others"))
        assert_same(await tx.files.add(replace(second, workspace="T2")), replace(second, workspace="T2"))


async def test_what_takes_the_place_of_a_file_that_is_gone_does_so_once(storage: Storage) -> None:
    """Two processes find the same bytes gone and make others of the source: what the first kept of it stays."""
    anew, too = [replace(PANDA, url=f"stored:{one * 64}.jpg", sha256=one * 64, at=later(1)) for one in "bc"]
    async with storage.begin() as tx:
        await tx.files.add(PANDA)
        await tx.files.add(replace(PANDA, workspace="T2"))
    for made in (anew, too):
        async with storage.begin() as tx:
            assert_same(await tx.files.add(made, instead_of=PANDA), anew)
    async with storage.begin() as tx:
        assert_same(await tx.files.find("T1", "slack:F1", "seedance"), anew)
        assert_same(await tx.files.find("T2", "slack:F1", "seedance"), replace(PANDA, workspace="T2"))
        assert await tx.files.stored("T1", PANDA.url) is None
        same = replace(anew, name="the same.jpg")
        assert_same(await tx.files.add(same, instead_of=anew), same)


async def test_a_stored_file_is_known_by_its_address(storage: Storage) -> None:
    again = replace(PANDA, source="slack:F9", name="the same panda.jpg", mends=(), at=later(1))
    async with storage.begin() as tx:
        await tx.files.add(again)
        await tx.files.add(PANDA)

    async with storage.read() as tx:
        assert_same(await tx.files.stored("T1", PANDA.url), again)
        assert await tx.files.stored("T2", PANDA.url) is None
        assert await tx.files.stored("T1", "stored:nothing.jpg") is None
