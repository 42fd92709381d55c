"""What the doctor says about troubles that cannot be made on every machine, and its lines themselves."""

import errno
import re
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bot.doctor import files
from bot.doctor.database import cannot_hold, unusable
from bot.doctor.finding import Finding, Level, bad_setting, fail, ok, skip
from bot.doctor.port import mend_of
from bot.doctor.provider import judge, little_left, missing
from bot.domain.failure import Failure, FailureKind
from bot.domain.recipe import Mode
from bot.ports import Credit, StorageBusy, StorageError
from bot.settings import BadSetting, Settings
from bot.vendors import VENDORS
from storage import NotWritable, SchemaNewer, SchemaOutdated, UnsupportedUrl
from storage.engines import Place, place_of

FILE = Place(url=make_url("sqlite:////srv/dailies.db"), file=Path("/srv/dailies.db"))
SERVER = Place(url=make_url("postgresql://127.0.0.1/dailies"), file=None)


# --- lines -----------------------------------------------------------------------------------------------------------


def test_a_line_is_one_line_with_its_mend_as_a_sentence() -> None:
    finding = fail("media", "the disk\nis full.", "make room.")
    assert finding.line() == "FAIL  media: the disk is full. Mend: Make room."
    assert ok("caps", "spending is limited.").line() == "ok    caps: spending is limited."
    assert skip("clock", "Slack has to answer first").line() == "skip  clock: not looked at: Slack has to answer first."


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (BadSetting("X is odd.", "Unset X."), "Unset X."),
        (BadSetting("X is odd."), "correct it in the environment or .env; .env.example explains every name."),
        (BadSetting("X is odd"), "correct it in the environment or .env; .env.example explains every name."),
    ],
)
def test_a_setting_that_cannot_be_used_says_its_own_mend_where_it_has_one(error: BadSetting, mend: str) -> None:
    assert bad_setting("settings", error) == fail("settings", "X is odd.", mend)


# --- the database ----------------------------------------------------------------------------------------------------


def because(error: StorageError, *causes: Exception) -> StorageError:
    """The error as storage raises it: the driver's own behind it."""
    link: BaseException = error
    for cause in causes:
        link.__cause__ = cause
        link = cause
    return error


@pytest.mark.parametrize(
    ("place", "error", "level", "text", "mend"),
    [
        (
            FILE,
            NotWritable("the disk is full"),
            "FAIL",
            "no room is left for /srv/dailies.db.",
            "make room on that disk",
        ),
        (
            FILE,
            NotWritable("it is read-only"),
            "FAIL",
            "/srv/dailies.db cannot be written: it is read-only.",
            "let this user read and write the file and its folder",
        ),
        (
            FILE,
            StorageError("SQLite refused: SQLITE_CORRUPT."),
            "FAIL",
            "/srv/dailies.db: SQLite refused: SQLITE_CORRUPT.",
            "put a copy of it back",
        ),
        (FILE, SchemaOutdated("0001", "0002"), "warn", "an older release made its tables (revision 0001).", "migrate"),
        (FILE, SchemaNewer("9999"), "FAIL", "a newer release made its tables (revision 9999)", "install that release"),
        (
            SERVER,
            because(StorageBusy("Away."), ValueError("connection failed: no such database\n\tmore of it")),
            "FAIL",
            "PostgreSQL: connection failed: no such database.",
            "start that server, or correct host, port, user, password and name in DATABASE_URL",
        ),
        (
            SERVER,
            StorageBusy("The database is busy."),
            "FAIL",
            "PostgreSQL: The database is busy.",
            "start that server",
        ),
        (
            SERVER,
            NotWritable("it is read-only"),
            "FAIL",
            "PostgreSQL cannot be written: it is read-only.",
            "name the primary server",
        ),
        (
            SERVER,
            StorageError("PostgreSQL refused with 42501."),
            "FAIL",
            "PostgreSQL refused with 42501.",
            "let the user in DATABASE_URL read, write and make tables there.",
        ),
    ],
)
def test_each_trouble_of_a_database_has_its_own_mend(
    place: Place, error: StorageError, level: str, text: str, mend: str
) -> None:
    finding = unusable(place, error)
    assert (finding.level.value, finding.name) == (level, "database")
    assert finding.text.startswith(text)
    assert mend in finding.mend


def test_a_folder_that_can_be_made_or_written_is_no_trouble(tmp_path: Path) -> None:
    assert cannot_hold(tmp_path) == cannot_hold(tmp_path / "new" / "data") == ""
    (tmp_path / "file").touch()
    assert cannot_hold(tmp_path / "file" / "data") == f"{tmp_path / 'file'} is no folder"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_folder_in_which_even_root_can_make_nothing_is_a_trouble() -> None:
    """The permissions of /proc let root pass, and the kernel refuses all the same."""
    why = cannot_hold(Path("/proc/dailies/data"))
    assert re.match(r"nothing can be made in /(proc)?: |/(proc)? is not writable for this user", why)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u:hidden@h:port/db", "has a port that is no number"),
        ("postgresql://u:hid@hidden:x@h/db", "has a port that is no number"),
        ("postgresql://[::1/db", "has a port that is no number"),
        ("postgresql://u:hidden@h:65536/db", "has a port that is not within 1 and 65535"),
        ("postgresql://u:hidden@h:0/db", "has a port that is not within 1 and 65535"),
        ("postgresql://u:hidden@h:-5/db", "has a port that is not within 1 and 65535"),
        ("sqlite://hidden/dailies.db", "has two slashes"),
        ("sqlite://u:hidden@h/dailies.db", "has two slashes"),
        ("hidden", "does not begin with a kind and “://”"),
        ("hidden:hidden@h/db", "does not begin with a kind and “://”"),
    ],
)
def test_a_database_url_that_cannot_be_taken_apart_is_refused_and_not_repeated(url: str, says: str) -> None:
    with pytest.raises(UnsupportedUrl) as refusal:
        place_of(url)
    assert str(refusal.value).startswith(f"DATABASE_URL {says}")
    assert "hidden" not in f"{refusal.value} {refusal.value!r}"
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("port", [1, 5432, 65535])
def test_the_ports_that_there_are_are_taken(port: int) -> None:
    assert place_of(f"postgresql://u:p@[::1]:{port}/db").url.port == port


# --- the provider ----------------------------------------------------------------------------------------------------


def answered(status: int) -> Failure:
    """As a provider's check names an answer that it has no class for."""
    return Failure(kind=FailureKind.PROVIDER, detail=f"it answered HTTP {status}")


TOP_UP = "top up the account that ACME_API_KEY belongs to; the key itself is taken."


@pytest.mark.parametrize(
    ("failure", "level", "text", "mend"),
    [
        (None, "ok", "it answers and takes the key.", ""),
        (answered(402), "FAIL", "it answers, but the account has no credit.", TOP_UP),
        (
            Failure(kind=FailureKind.OUT_OF_CREDIT, detail="quota exceeded."),
            "FAIL",
            "it answers, but the account has no credit: quota exceeded.",
            TOP_UP,
        ),
        (Failure(kind=FailureKind.OUT_OF_CREDIT), "FAIL", "it answers, but the account has no credit.", TOP_UP),
        (
            Failure(kind=FailureKind.KEY_REFUSED, detail="invalid key HTTP 402"),
            "FAIL",
            "it refuses the key: invalid key HTTP 402.",
            "correct ACME_API_KEY: copy it again from its website.",
        ),
    ],
)
def test_what_a_provider_answers_has_its_own_mend(failure: Failure | None, level: str, text: str, mend: str) -> None:
    assert judge("acme", failure) == Finding(level=Level(level), name="provider acme", text=text, mend=mend)


@pytest.mark.parametrize(
    ("status", "level", "mend"),
    [
        (200, "FAIL", "correct HIAPI_BASE_URL, or unset it to use https://api.hiapi.ai."),
        (307, "FAIL", "correct HIAPI_BASE_URL, or unset it to use https://api.hiapi.ai."),
        (404, "FAIL", "correct HIAPI_BASE_URL, or unset it to use https://api.hiapi.ai."),
        (429, "warn", "wait a minute, and run `dailies doctor` again."),
        (408, "FAIL", "wait, and run `dailies doctor` again;"),
        (500, "FAIL", "wait, and run `dailies doctor` again;"),
        (503, "FAIL", "wait, and run `dailies doctor` again;"),
    ],
)
def test_only_a_provider_that_refuses_the_key_sends_people_to_the_key(status: int, level: str, mend: str) -> None:
    finding = judge("hiapi", answered(status))
    assert finding.level.value == level
    assert f"HTTP {status}" in finding.text
    assert finding.mend.startswith(mend)
    assert "HIAPI_API_KEY" not in finding.mend


# --- HTTP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "variable"),
    [(errno.EADDRINUSE, "HTTP_PORT"), (errno.EACCES, "HTTP_PORT"), (errno.EADDRNOTAVAIL, "HTTP_HOST")],
)
def test_an_address_that_cannot_be_had_names_the_setting_to_change(number: int, variable: str) -> None:
    assert variable in mend_of(OSError(number, "…"), 80)
    assert ("lsof -i :80" in mend_of(OSError(number, "…"), 80)) == (number == errno.EADDRINUSE)


@pytest.mark.parametrize(
    ("left", "dearest"),
    [(None, 2_000_000), (Credit(micro_usd=None), 2_000_000), (Credit(micro_usd=1), None)],
)
def test_what_nobody_can_say_of_a_balance_is_no_warning(left: Credit | None, dearest: int | None) -> None:
    assert little_left("muapi", left, dearest) is None


def test_a_balance_that_makes_few_clips_is_a_warning() -> None:
    assert little_left("muapi", Credit(micro_usd=20_000_000), 2_000_000) is None
    low = little_left("muapi", Credit(micro_usd=19_999_999), 2_000_000)
    assert low is not None
    assert low.line() == (
        "warn  provider muapi: it takes the key, and $20.00 is left there, where a clip costs up to $2.00. "
        "Mend: Top up the account that MUAPI_API_KEY belongs to."
    )


KNOWN = [can for vendor in VENDORS.values() for can in vendor.tiers]


def test_what_no_provider_here_can_be_given_is_said() -> None:
    everything = missing(KNOWN, KNOWN)
    assert (everything.level.value, "a video to change" in everything.text) == ("ok", True)

    hiapi = missing(VENDORS["hiapi"].tiers, KNOWN)
    assert hiapi == ok(
        "modes",
        "no provider that is set up makes clips from a video to change, a video to go on from, so that is refused.",
    )


def test_that_no_provider_here_takes_pictures_is_a_warning_that_names_those_who_do() -> None:
    tier = replace(VENDORS["muapi"].tiers[0], modes=frozenset({Mode.TEXT, Mode.FIRST_FRAME}))
    finding = missing([tier], VENDORS["muapi"].tiers)
    assert finding.level is Level.WARN
    assert "references" in finding.text
    assert finding.mend == "set MUAPI_API_KEY."


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "level", "text"),
    [
        ({"muapi_api_key": "k"}, Level.OK, "the providers take all of them by upload."),
        ({"muapi_api_key": "k", "public_url": "https://dailies.example.com"}, Level.OK, "under PUBLIC_URL"),
        ({"hiapi_api_key": "k", "empiriolabs_api_key": "k"}, Level.WARN, "hiapi (pictures, standard alone) only"),
        ({"seedanceapi_api_key": "k"}, Level.WARN, "PUBLIC_URL is not set: no file can be given to seedanceapi"),
        ({"providers": "sandbox"}, Level.WARN, "pretend-apimart (pictures) and pretend-muapi only"),
        ({}, Level.SKIP, "there has to be a provider first"),
    ],
)
async def test_what_cannot_be_given_to_a_provider_is_told(
    tmp_path: Path, given: dict[str, str], level: Level, text: str
) -> None:
    places = {"database_url": f"sqlite:///{tmp_path}/dailies.db", "media_url": f"file:{tmp_path}/media"}
    (finding,) = await files.check(Settings(_env_file=None, **places, **given))
    assert (finding.name, finding.level) == ("files", level)
    assert text in finding.text
    assert ("set PUBLIC_URL" in finding.mend) == (level is Level.WARN)
    assert list(tmp_path.iterdir()) == [], "nothing is made"


async def test_a_key_for_links_that_is_broken_is_told_before_the_start(tmp_path: Path) -> None:
    (tmp_path / "dailies.db.key").write_text("short")
    places = {"database_url": f"sqlite:///{tmp_path}/dailies.db", "media_url": f"file:{tmp_path}/media"}
    with pytest.raises(BadSetting, match="holds no key"):
        await files.check(Settings(_env_file=None, public_url="https://dailies.example.com", **places))
