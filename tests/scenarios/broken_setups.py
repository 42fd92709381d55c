"""Set-ups of Dailies that are broken in one way each, with the one line that ``dailies doctor`` is to say about it."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOBODY = "http://127.0.0.1:9"
"""Nothing listens there."""

PASSWORD = "a-password-nobody-may-see"


def nothing(_: Path) -> AbstractContextManager[None]:
    """The settings alone are what is wrong."""
    return contextlib.nullcontext()


def written(name: str, text: str | bytes) -> Callable[[Path], AbstractContextManager[None]]:
    """A file of the set-up holds this."""

    def write(place: Path) -> AbstractContextManager[None]:
        (place / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return contextlib.nullcontext()

    return write


def folder(name: str) -> Callable[[Path], AbstractContextManager[None]]:
    """A folder has the name of what should be a file."""

    def make(place: Path) -> AbstractContextManager[None]:
        (place / name).mkdir()
        return contextlib.nullcontext()

    return make


def locked(*statements: str) -> Callable[[Path], AbstractContextManager[None]]:
    """Another program holds the database."""

    @contextlib.contextmanager
    def hold(place: Path) -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(place / "dailies.db", isolation_level=None)) as other:
            for statement in statements:
                other.execute(statement)
            yield

    return hold


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A set-up, and the one line that is not in order. ``{place}`` is its folder, ``{port}`` what stands in the fault.
    ``fault`` is what a service then does: point, kind, and the rest of the rule."""

    settings: Mapping[str, str] = field(default_factory=dict)
    around: Callable[[Path], AbstractContextManager[None]] = nothing
    fault: tuple[str, str, Mapping[str, Any]] | None = None
    line: str
    says: str
    mend: str
    level: str = "FAIL"
    skipped: frozenset[str] = frozenset()


IN_ENV_FILE = "Make it a text file in UTF-8 with NAME=value lines that this user may read, or take it away."
IN_SETTINGS = "Correct it in the environment or .env; .env.example explains every name."
ANOTHER_URL = "Correct DATABASE_URL, or unset it to use sqlite:///data/dailies.db."
SUPPORTED = "supported are sqlite:///FILE and postgresql://…."
LOCKED = "See with `lsof {place}/dailies.db` which one it is; end it, or wait for it and run `dailies doctor` again."
A_SERVER = (
    "Start that server, or correct host, port, user, password and name in DATABASE_URL; "
    "then run `dailies doctor` again."
)
IN_README = "README.md says where to find it (“Set it up in Slack”); write it into .env. `dailies demo` needs none."
A_BOT_TOKEN = (
    "Set SLACK_BOT_TOKEN to the Bot User OAuth Token (it begins with xoxb), from OAuth & Permissions of the app at "
    "https://api.slack.com/apps; if it is that one, install the app again there and copy the new one."
)
AN_APP_TOKEN = (
    "Set SLACK_APP_TOKEN to an App-Level Token with the scope connections:write (it begins with xapp), from Basic "
    "Information of the app at https://api.slack.com/apps."
)
A_NETWORK_TO = "See whether this machine reaches the network (DNS, firewall), and correct {} if it is set."
NOT_SLACK = (
    "Correct SLACK_API_URL, or unset it to use https://slack.com/api/: what answers there is not Slack."
)  # fmt: skip
NOT_HIAPI = "Correct HIAPI_BASE_URL, or unset it to use https://api.hiapi.ai."
BLOCKED = (
    "Correct HIAPI_API_KEY; if it is right, see on its website whether the key or this machine's address is blocked."
)
A_RESOLUTION = "Use one of 480p, 720p, 1080p, or one of them with +video."
WITHOUT_KEYS = {f"{name}_API_KEY": "" for name in ("HIAPI", "APIMART", "MUAPI", "SEEDANCEAPI", "EMPIRIOLABS")}
NO_CREDIT = "Top up the account that HIAPI_API_KEY belongs to; the key itself is taken."
A_MINUTE = "Wait a minute, and run `dailies doctor` again."
IN_TROUBLE = (
    "Wait, and run `dailies doctor` again; if it stays so, see HIAPI_BASE_URL and the provider's status page."
)  # fmt: skip
SLACK_IN_TROUBLE = (
    "Wait, and run `dailies doctor` again; if it stays so, see https://slack-status.com and SLACK_API_URL."
)  # fmt: skip
WITHOUT_SLACK = frozenset({"slack scopes", "app token", "clock"})
WITHOUT_TOKEN = frozenset({"slack scopes"})


def slack_says(kind: str, says: str, mend: str, **rule: Any) -> Broken:
    """Slack answers the first question in this way."""
    fault = ("slack:auth.test", kind, rule)
    return Broken(fault=fault, line="slack token", says=says, mend=mend, skipped=WITHOUT_SLACK)


def provider_says(kind: str, says: str, mend: str, *, level: str = "FAIL", **rule: Any) -> Broken:
    """The provider answers in this way."""
    return Broken(fault=("hiapi:list", kind, rule), line="provider hiapi", says=says, mend=mend, level=level)


def database_url(url: str, says: str, mend: str) -> Broken:
    """This DATABASE_URL is wrong."""
    return Broken(settings={"DATABASE_URL": url}, line="database", says=says, mend=mend)


def price_file(text: str, says: str, mend: str) -> Broken:
    """This is what PRICE_FILE holds."""
    return Broken(around=written("prices.toml", text), line="prices", says=says, mend=mend)


BROKEN: dict[str, Broken] = {
    # --- the environment and .env
    ".env is a folder": Broken(
        around=folder(".env"), line="settings", says=".env is a folder, so nothing in it is read.", mend=IN_ENV_FILE
    ),
    ".env is no UTF-8": Broken(
        around=written(".env", f"LOG_LEVEL=info\nHIAPI_API_KEY={PASSWORD}\xe9\n".encode("latin-1")),
        line="settings", says=".env cannot be read: line 2 is not UTF-8.", mend=IN_ENV_FILE,
    ),
    "a cap that is misspelt": Broken(
        around=written(".env", "BUDGET_USER_DAILY_USD=5\n"), line="settings", level="warn",
        says="BUDGET_USER_DAILY_USD is no setting and has no effect.",
        mend="Write BUDGET_USER_DAY_USD instead of BUDGET_USER_DAILY_USD, or take it away.",
    ),
    "a line of .env without a sign of equality": Broken(
        around=written(".env", f"LOG_LEVEL=info\nBUDGET_CHANNEL_MONTH_USD {PASSWORD}\n"), line="settings", level="warn",
        says="line 2 of .env is not NAME=value and has no effect.",
        mend="Write NAME=value there, or # before what is a note.",
    ),
    "lines of .env without a sign of equality": Broken(
        around=written(".env", f"LOG_LEVEL\n\nBUDGET_CHANNEL_MONTH_USD: {PASSWORD}\n"), line="settings", level="warn",
        says="lines 1, 3 of .env are not NAME=value and have no effect.",
        mend="Write NAME=value there, or # before what is a note.",
    ),
    # --- the database
    "a database of another kind": database_url(
        f"mysql://me:{PASSWORD}@127.0.0.1/clips", f"DATABASE_URL begins with 'mysql'; {SUPPORTED}", ANOTHER_URL
    ),
    "a database without a kind": database_url(
        PASSWORD, f"DATABASE_URL does not begin with a kind and “://”; {SUPPORTED}", ANOTHER_URL
    ),
    "a port that is a word": database_url(
        f"postgresql://me:{PASSWORD}@127.0.0.1:port/clips", "DATABASE_URL has a port that is no number", ANOTHER_URL
    ),
    "a password with an @ and a colon": database_url(
        f"postgresql://me:oh@no:{PASSWORD}@127.0.0.1/clips", "(in a password @ : / are written %40 %3A %2F)",
        ANOTHER_URL,
    ),
    "a port that is too large": database_url(
        f"postgresql://me:{PASSWORD}@127.0.0.1:65536/clips", "has a port that is not within 1 and 65535", ANOTHER_URL
    ),
    "a SQLite address with two slashes": database_url(
        "sqlite://data/dailies.db", "has two slashes, and a file needs three, or four from the root", ANOTHER_URL
    ),
    "a database server that is not there": database_url(
        f"postgresql://me:{PASSWORD}@127.0.0.1:9/clips", "Connection refused", A_SERVER
    ),
    "a database that is no database": database_url(
        "sqlite:///prices.toml", "{place}/prices.toml is no SQLite database.", "Name another file in DATABASE_URL."
    ),
    "a database that is a folder": Broken(
        settings={"DATABASE_URL": "sqlite:///data"}, around=folder("data"), line="database",
        says="{place}/data is no file.", mend="Name a file in DATABASE_URL.",
    ),
    "a database in what is no folder": database_url(
        "sqlite:///prices.toml/dailies.db", "its folder cannot be used: {place}/prices.toml is no folder.",
        "Correct DATABASE_URL, or the folder and its owner.",
    ),
    "a database in a folder that nobody can make": database_url(
        "sqlite:////proc/dailies/dailies.db", "its folder cannot be used: ",
        "Correct DATABASE_URL, or the folder and its owner.",
    ),
    "a database that another program writes": Broken(
        around=locked("BEGIN EXCLUSIVE"), line="database", mend=LOCKED,
        says="another process has kept {place}/dailies.db locked for more than 2 s (Dailies is not running on it).",
    ),
    "a database that another program keeps for itself": Broken(
        around=locked("PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"), line="database", mend=LOCKED,
        says="another process has kept {place}/dailies.db locked for more than 2 s (Dailies is not running on it).",
    ),
    "a database that was never migrated": Broken(
        settings={"DATABASE_URL": "sqlite:///new.db"}, line="database", says="it has no tables yet.", level="warn",
        mend="Start `dailies run`, which makes them, or run `dailies migrate`.",
    ),
    # --- the clips
    "a media store of another kind": Broken(
        settings={"MEDIA_URL": "ftp://x/y"}, line="media", says="MEDIA_URL begins with 'ftp'",
        mend="Set MEDIA_URL to file: and a folder, such as file:data/media.",
    ),
    "a media folder on another host": Broken(
        settings={"MEDIA_URL": "file://host/clips"}, line="media", says="supported are file:FOLDER.",
        mend="Set MEDIA_URL to file: and a folder, such as file:data/media.",
    ),
    "a media folder in what is no folder": Broken(
        settings={"MEDIA_URL": "file:prices.toml/clips"}, line="media",
        says="its folder cannot be made: {place}/prices.toml is no folder.",
        mend="Correct MEDIA_URL, or the folder and its owner.",
    ),
    "a media folder that nobody can make": Broken(
        settings={"MEDIA_URL": "file:/proc/dailies/media"}, line="media", says="its folder cannot be made: ",
        mend="Correct MEDIA_URL, or the folder and its owner.",
    ),
    "a media folder that is a file": Broken(
        settings={"MEDIA_URL": "file:prices.toml"}, line="media", says="{place}/prices.toml cannot be used.",
        mend="Make {place}/prices.toml a folder that this user can write, or correct MEDIA_URL.",
    ),
    "a disk too small for a clip": Broken(
        settings={"MEDIA_URL": "file:.", "MAX_CLIP_MB": "1000000000"}, line="media",
        says="less than one clip may take.",
        mend="Make room there, name a folder elsewhere in MEDIA_URL, or lower MAX_CLIP_MB (now 1000000000).",
    ),
    # --- money
    "no cap": Broken(
        settings={"BUDGET_USER_DAY_USD": ""}, line="caps", says="nothing limits what a team can spend", level="warn",
        mend="Set BUDGET_WORKSPACE_MONTH_USD, BUDGET_CHANNEL_MONTH_USD or BUDGET_USER_DAY_USD, in US dollars.",
    ),
    "no prices of one's own": Broken(
        settings={"PRICE_FILE": ""}, line="prices", level="warn",
        says="hiapi publishes none for mini at 480p, mini at 720p, standard at 480p, standard at 720p, "
        "standard at 1080p; the dearest of other providers is assumed.",
        mend="Write what your account pays under [hiapi.TIER] into a file, and name that in PRICE_FILE (.env.example).",
    ),
    "a price file that is not there": Broken(
        settings={"PRICE_FILE": "none.toml"}, line="prices", says="PRICE_FILE none.toml cannot be read: No such file",
        mend="Correct the file or PRICE_FILE, or unset PRICE_FILE to use published prices.",
    ),
    "a price that is a word": price_file(
        '[hiapi.mini]\n"480p" = "cheap"\n', 'the price of "480p" must be US dollars per second, such as 0.08.',
        "Write it as a plain number, without quotes or a currency.",
    ),
    "a provider misspelt beside a price": price_file(
        '[hiapy.mini]\n"480p" = 0.08\n', 'there is no provider "hiapy".', 'Write "hiapi" instead.'
    ),
    "a tier misspelt beside a price": price_file(
        '[hiapi.minni]\n"480p" = 0.08\n', 'there is no tier "minni".', 'Write "mini" instead.'
    ),
    "a resolution misspelt beside a price": price_file(
        '[hiapi.mini]\n"48op" = 0.08\n', '"48op" is not a resolution.', A_RESOLUTION
    ),
    "a resolution misspelt beside a price with video": price_file(
        '[hiapi.mini]\n"48op+video" = 0.08\n', '"48op+video" is not a resolution.', A_RESOLUTION
    ),
    # --- the provider
    "no provider key": Broken(
        settings={"PROVIDERS": "", **WITHOUT_KEYS}, line="provider", says="No provider has a key.",
        mend="Set HIAPI_API_KEY, APIMART_API_KEY, MUAPI_API_KEY, SEEDANCEAPI_API_KEY or EMPIRIOLABS_API_KEY; "
        "PROVIDERS=sandbox and `dailies demo` need none.",
    ),
    "a provider that there is not": Broken(
        settings={"PROVIDERS": "hiapi,acme"}, line="provider",
        says="PROVIDERS names acme, which this release does not have.",
        mend="Name only these, or leave PROVIDERS out: hiapi, apimart, muapi, seedanceapi, empiriolabs.",
    ),
    "a provider named without its key": Broken(
        settings={"MUAPI_API_KEY": "", "PROVIDERS": "hiapi,muapi"}, line="provider",
        says="PROVIDERS names muapi, but MUAPI_API_KEY is not set.",
        mend="Set MUAPI_API_KEY, or take muapi out.",
    ),
    "pretend providers beside a real one": Broken(
        settings={"PROVIDERS": "sandbox,hiapi"}, line="provider",
        says="PROVIDERS names sandbox beside hiapi.",
        mend="Leave either sandbox or the others: what is pretended must not stand beside what is charged.",
    ),
    "a wrong provider key": Broken(
        settings={"HIAPI_API_KEY": "made-up-word"}, line="provider hiapi", says="it refuses the key: ",
        mend="Correct HIAPI_API_KEY: copy it again from its website.",
    ),
    "a provider that cannot be reached": Broken(
        settings={"HIAPI_BASE_URL": NOBODY}, line="provider hiapi", says="it cannot be reached (ConnectError).",
        mend=A_NETWORK_TO.format("HIAPI_BASE_URL"),
    ),
    "an account without credit": provider_says(
        "status", "it answers, but the account has no credit", NO_CREDIT, status=402
    ),
    "an account whose quota is used up": provider_says(
        "status", "it answers, but the account has no credit: quota exceeded.", NO_CREDIT,
        status=403, body={"code": 403, "message": "quota exceeded"},
    ),
    "a provider that is asked too often": provider_says(
        "ratelimit", "it is asked too often (HTTP 429)", A_MINUTE, level="warn", retry_after="30"
    ),
    "a refusal without words": provider_says(
        "status", "it refuses us and does not say why.", BLOCKED, status=403, body=""
    ),
    "a provider in trouble": provider_says(
        "status", "it is in trouble itself (HTTP 503), so the key could not be tried.", IN_TROUBLE, status=503
    ),
    "a web page instead of the provider": provider_says(
        "html", "what answers (HTTP 200) is not its API.", NOT_HIAPI
    ),
    "another path at the provider": provider_says(
        "status", "what answers (HTTP 404) is not its API.", NOT_HIAPI, status=404
    ),
    # --- Slack
    "no bot token": Broken(
        settings={"SLACK_BOT_TOKEN": ""}, line="slack", says="SLACK_BOT_TOKEN must be set.", mend=IN_README
    ),
    "no way in": Broken(
        settings={"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": ""}, line="slack",
        says="SLACK_APP_TOKEN (for HTTP: SLACK_SIGNING_SECRET) must be set.", mend=IN_README,
    ),
    "a wrong bot token": Broken(
        settings={"SLACK_BOT_TOKEN": "xoxb-made-up-word"}, line="slack token", skipped=WITHOUT_TOKEN,
        says="Slack refuses SLACK_BOT_TOKEN with invalid_auth.", mend=A_BOT_TOKEN,
    ),
    "a wrong app token": Broken(
        settings={"SLACK_APP_TOKEN": "xapp-made-up-word"}, line="app token",
        says="Slack refuses SLACK_APP_TOKEN with invalid_auth.", mend=AN_APP_TOKEN,
    ),
    "a Slack that cannot be reached": Broken(
        settings={"SLACK_API_URL": f"{NOBODY}/api/"}, line="slack token", skipped=WITHOUT_SLACK,
        says="Slack cannot be reached.", mend=A_NETWORK_TO.format("SLACK_API_URL"),
    ),
    "a Slack that hangs up": slack_says("close", "Slack cannot be reached: ", A_NETWORK_TO.format("SLACK_API_URL")),
    "a Slack that is asked too often": slack_says("ratelimit", "Slack answers ratelimited", A_MINUTE, retry_after="30"),
    "a Slack in trouble": slack_says("status", "Slack answers http_503", SLACK_IN_TROUBLE, status=503, body=""),
    "a web page instead of Slack": slack_says("html", "Slack answers http_200", NOT_SLACK),
    "a secret that is not Slack's": Broken(
        settings={"SLACK_APP_TOKEN": ""}, line="signing secret", level="warn",
        says="the secret is not 32 hexadecimal digits as Slack's are.",
        mend="Set SLACK_SIGNING_SECRET to the Signing Secret, from Basic Information of the app at "
        "https://api.slack.com/apps.",
    ),
    # --- HTTP
    "an address of another machine": Broken(
        settings={"HTTP_HOST": "192.0.2.1"}, line="port", says="nothing can listen on 192.0.2.1:0",
        mend="Set HTTP_HOST to an address of this machine; 127.0.0.1 is enough unless others have to reach it.",
    ),
}  # fmt: skip
"""One cause, one line."""
