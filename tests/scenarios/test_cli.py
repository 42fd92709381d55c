"""The command line beside a running bot, and what the bot refuses to start with."""

import asyncio
import csv
import io
import json
import os
from pathlib import Path

import pytest
import yaml

from tests.sandbox.driver import Json
from tests.scenarios.bot import ROOT, Bot, Stage, stage

JOB_FIELDS = {
    "id",
    "ask",
    "workspace",
    "channel",
    "thread_ts",
    "number",
    "state",
    "provider",
    "model",
    "task_id",
    "attempt",
    "price_micro_usd",
    "cost_micro_usd",
    "created_at",
    "updated_at",
    "message_ts",
    "parent",
}
USAGE_SUMS = {"held_micro_usd", "settled_micro_usd", "released_micro_usd"}
USAGE_KEYS = {"workspace", "channel", "person", "provider", "tier"}

DRAFT, FINAL = 320_000, 600_000
"""Micro-dollars of four seconds at 480p and at 720p."""

ACCESS = {
    "SLACK_BOT_TOKEN": "xoxb-some-secret",
    "SLACK_APP_TOKEN": "xapp-some-secret",
    "HIAPI_API_KEY": "a-secret-key",
}
SECRET = "hunter2-and-more"
"""Where it stands, something is wrong with the setting."""


@pytest.mark.timeout(90)
async def test_beside_a_running_bot_the_other_commands_work_and_a_second_bot_is_refused(tmp_path: Path) -> None:
    async with stage(tmp_path) as play:
        await play.provider(fidelity="cached")
        await play.studio.slash("maya", "/clip a lantern")
        await play.clips(1)
        await play.at_rest()
        await play.studio.say("ben", "promote #1", thread=(await play.clips(1))[0])
        await play.clips(2)
        await play.at_rest()

        (code, out, err), *_ = await asyncio.gather(
            play.bot.command("run"), jobs_are_listed(play), usage_is_counted(play)
        )
        assert (code, out) == (1, "")
        assert "another" in err.lower()
        assert err.startswith("dailies: ")
        assert len(err.strip().splitlines()) == 1
        assert play.bot.running()
        assert (await play.studio.slash("maya", "/clip help"))["acked"]


async def jobs_are_listed(play: Stage) -> None:
    """As a table and as JSON, all or by state, and one with its timeline."""
    as_json, table, unknown = await asyncio.gather(
        play.bot.command("jobs", "--json"),
        play.bot.command("jobs", "--state", "delivered"),
        play.bot.command("jobs", "--state", "asleep"),
    )
    final, draft = json.loads(as_json[1])
    assert set(draft) & set(final) >= JOB_FIELDS
    assert (draft["number"], draft["state"], draft["provider"]) == (1, "delivered", "hiapi")
    assert (draft["price_micro_usd"], draft["cost_micro_usd"], final["cost_micro_usd"]) == (DRAFT, DRAFT, FINAL)
    assert (draft["parent"], final["parent"]) == (None, draft["id"])
    assert {draft["message_ts"], final["message_ts"]} == {clip["ts"] for clip in await play.clip_messages()}
    assert {draft["task_id"], final["task_id"]} == {charge["task_id"] for charge in await play.ledger()}
    assert draft["thread_ts"] == final["thread_ts"] == (await play.card("Draft"))["ts"]
    assert all(job["id"] in table[1] and job["task_id"] in table[1] for job in (draft, final))
    assert unknown[0] == 1
    assert "“asleep”" in unknown[2]

    shown, as_data = await asyncio.gather(
        play.bot.command("jobs", "show", draft["id"]),
        play.bot.command("jobs", "show", draft["id"], "--json"),
    )
    told = json.loads(as_data[1])
    states = list(dict.fromkeys(entry["state"] for entry in told["timeline"]))
    assert states == ["queued", "submitting", "rendering", "downloading", "delivering", "delivered"]
    assert all(state in shown[1] for state in states)


async def usage_is_counted(play: Stage) -> None:
    """The same sums as text, JSON and CSV, and they are the provider's."""
    text, as_json, as_csv = await asyncio.gather(
        play.bot.command("usage"),
        play.bot.command("usage", "--json"),
        play.bot.command("usage", "--csv"),
    )
    rows: list[Json] = json.loads(as_json[1])
    assert all(set(row) >= USAGE_SUMS | USAGE_KEYS for row in rows)
    assert all(isinstance(row[name], int) for row in rows for name in USAGE_SUMS)
    assert {row["person"]: row["settled_micro_usd"] for row in rows} == {
        await play.person_id("maya"): DRAFT,
        await play.person_id("ben"): FINAL,
    }
    table = list(csv.DictReader(io.StringIO(as_csv[1])))
    assert [{name: str(value) for name, value in row.items()} for row in rows] == table
    assert "$0.92" in text[1]


async def test_the_manifest_is_printed_as_yaml_and_json_with_and_without_history(tmp_path: Path) -> None:
    bot = alone(tmp_path)
    as_yaml, as_json, quiet = await asyncio.gather(
        bot.command("manifest"),
        bot.command("manifest", "--json"),
        bot.command("manifest", "--replies", "mention", "--json"),
    )
    whole = json.loads(as_json[1])
    assert yaml.safe_load(as_yaml[1]) == whole
    assert whole["settings"]["socket_mode_enabled"] is True
    narrow = json.loads(quiet[1])["oauth_config"]["scopes"]["bot"]
    assert set(narrow) == {one for one in whole["oauth_config"]["scopes"]["bot"] if not one.endswith(":history")}


async def test_migrating_again_and_twice_at_once_is_safe(tmp_path: Path) -> None:
    bot = alone(tmp_path)
    for result in await asyncio.gather(*(bot.command("migrate") for _ in range(2))):
        assert result[0] == 0, result
    (versions,) = bot.rows("select count(*) as n from alembic_version")
    assert versions == {"n": 1}

    assert (await bot.command("migrate"))[0] == 0
    assert await bot.command("jobs", "--json") == (0, "[]\n", "")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"SLACK_BOT_TOKEN": ""}, "SLACK_BOT_TOKEN"),
        ({"SLACK_APP_TOKEN": ""}, "SLACK_APP_TOKEN"),
        ({"HIAPI_API_KEY": ""}, "HIAPI_API_KEY"),
        ({"PROVIDERS": "nosuch"}, "nosuch"),
        ({"HTTP_PORT": SECRET}, "HTTP_PORT"),
        ({"CONFIRM_ABOVE_USD": "-1"}, "CONFIRM_ABOVE_USD"),
        ({"THREAD_REPLIES": SECRET}, "THREAD_REPLIES"),
        ({"PRICE_FILE": "no-such.toml"}, "PRICE_FILE"),
        ({"DATABASE_URL": f"mysql://dailies:{SECRET}@127.0.0.1/dailies"}, "DATABASE_URL"),
        ({"MEDIA_URL": f"ftp://dailies:{SECRET}@127.0.0.1/clips"}, "MEDIA_URL"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_setting_that_cannot_be_used_is_one_line_without_the_secret(
    tmp_path: Path, settings: dict[str, str], named: str
) -> None:
    bot = alone(tmp_path, **settings)

    code, out, err = await bot.command("run")

    assert code == 1
    (line,) = [one for one in err.splitlines() if not one.startswith("{")]
    assert line.startswith("dailies: ")
    assert named in line
    assert [word for word in (SECRET, *ACCESS.values()) if word in out + err] == []


def alone(place: Path, **settings: str) -> Bot:
    """A bot with whole settings but for those given, and nothing around it."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "PYTHONPATH": str(ROOT),
        **ACCESS,
        "SLACK_API_URL": "http://127.0.0.1:9/api/",
        "HIAPI_BASE_URL": "http://127.0.0.1:9",
        "DATABASE_URL": f"sqlite:///{place / 'dailies.db'}",
        "MEDIA_URL": f"file:{place / 'media'}",
        "HTTP_PORT": "0",
    }
    return Bot(place=place, environment={**environment, **settings})
