"""``dailies settings``: what holds in a channel or in the whole workspace, and how the operator changes it.

Works on the database beside a running bot, which reads the settings anew for every ask.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.clock import SystemClock
from bot.configuration import make_policy, set_by_operator
from bot.domain.preferences import WHOLE_WORKSPACE, Assignment, read_assignment
from bot.ports import ChatError, Storage
from bot.services.configuring import Configuring
from bot.services.policies import Policies
from bot.services.sheets import Changed, Row, Sheet
from bot.settings import BadSetting, Settings
from handlers.workspace import SlackWorkspace
from storage import open_storage

_CHANNEL = re.compile(r"(?:<#)?([CDG][A-Z0-9]{2,30})(?:\|[^<>]*)?>?")
_NEWEST = 2000
"""Lines of the audit and jobs that are looked at to see which workspaces there are."""

_WIDEST = 48
"""Characters of a column; longer values push their own line only."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Whose settings: a channel's id or WHOLE_WORKSPACE; ``workspace`` is its id, None when there is only one."""

    subject: str
    workspace: str | None = None


def target(subject: str, workspace: str | None) -> Target:
    """The target that was typed. Raises BadSetting."""
    if subject.lower() == WHOLE_WORKSPACE:
        return Target(subject=WHOLE_WORKSPACE, workspace=workspace)
    found = _CHANNEL.fullmatch(subject)
    if found is None:
        raise BadSetting(
            f"“{subject}” is no channel's id. Write {WHOLE_WORKSPACE}, or the id that stands at the end of the "
            "channel's details in Slack, such as C0123456789."
        )
    return Target(subject=found[1], workspace=workspace)


async def settings(given: Settings, of: Target, changes: Sequence[str], *, as_json: bool) -> str:
    """What holds, after the changes (``key=value``) were made. Raises a PreferenceError, BadSetting, StorageError."""
    assignments = [read_assignment(change) for change in changes]
    async with open_storage(given.database_url.get_secret_value(), alone=False) as storage:
        workspace = of.workspace or await _only_workspace(given, storage)
        shown = await _shown(given, storage, workspace, of.subject, assignments)
    return json.dumps(_as_data(shown), indent=2, ensure_ascii=False) if as_json else _as_text(shown)


async def _shown(
    given: Settings, storage: Storage, workspace: str, subject: str, assignments: list[Assignment]
) -> Changed:
    configuring = Configuring(
        storage=storage,
        policies=Policies(storage=storage, operator=make_policy(given)),
        clock=SystemClock(),
        set_by_operator=set_by_operator(given),
    )
    if assignments:
        return await configuring.change(workspace, subject, assignments, person=None)
    return Changed(sheet=await configuring.sheet(workspace, subject), done=())


async def _only_workspace(given: Settings, storage: Storage) -> str:
    """The workspace that the database knows; before its first ask the one that the bot's token is of."""
    async with storage.read() as tx:
        known = {entry.workspace for entry in await tx.audit.entries(limit=_NEWEST)}
        known |= {job.workspace for job, _ in await tx.jobs.listing(state=None, limit=_NEWEST)}
    if len(known) == 1:
        return known.pop()
    if known:
        raise BadSetting(f"Name the workspace with --workspace: there are {', '.join(sorted(known))}.")
    token = given.slack_bot_token.get_secret_value() if given.slack_bot_token else ""
    if token:
        try:
            return (await SlackWorkspace(bot_token=token, api_url=given.slack_api_url).identify()).workspace
        except ChatError as error:
            raise BadSetting(
                f"The database knows no workspace yet, and Slack does not say which it is ({error.code}). "
                "Name it with --workspace."
            ) from error
    raise BadSetting("The database knows no workspace yet. Name it with --workspace, such as T0123456789.")


def _as_data(shown: Changed) -> dict[str, Any]:
    return {
        "workspace": shown.sheet.workspace,
        "subject": shown.sheet.subject,
        "version": shown.sheet.version,
        "settings": [
            {"key": row.key.name, "value": row.text, "from": row.source.value, "meaning": row.key.meaning}
            for row in shown.sheet.rows
        ],
        "changed": [{"key": one.name, "before": one.before, "after": one.after} for one in shown.done],
        "unread": list(shown.sheet.unread),
    }


def _as_text(shown: Changed) -> str:
    lines = [f"changed {one.words}" for one in shown.done]
    lines += [f"{row.key.name}: the lower {row.text} of the {row.source.value} counts." for row in shown.overruled]
    return "\n".join([*lines, *([""] if lines else []), *_table(shown.sheet)])


def _table(sheet: Sheet) -> list[str]:
    cells = [("KEY", "VALUE", "FROM"), *[_cells(row) for row in sheet.rows]]
    widths = [min(_WIDEST, max(len(row[column]) for row in cells)) for column in range(2)]
    lines = [f"{name.ljust(widths[0])}  {value.ljust(widths[1])}  {source}" for name, value, source in cells]
    return [*lines, *[f"{name}: set by another release, without effect in this one" for name in sheet.unread]]


def _cells(row: Row) -> tuple[str, str, str]:
    return row.key.name, row.text, row.source.value
