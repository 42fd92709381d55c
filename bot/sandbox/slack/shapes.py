"""Entities as Slack's JSON. The shapes follow payloads captured by Slack's own SDK tests."""

from __future__ import annotations

import mimetypes
from pathlib import PurePath
from urllib.parse import quote

from .entities import Channel, Ephemeral, File, Message, Person, View
from .wire import Json
from .workspace import Workspace

_PRETTY = {"mp4": "MPEG 4 Video", "png": "PNG", "jpg": "JPEG", "gif": "GIF", "mp3": "MP3", "wav": "WAV"}


class Shapes:
    """Draws entities. ``origin`` is where this server's private files lie ("http://127.0.0.1:1234")."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.origin = ""

    def message(self, message: Message, *, metadata: bool = False) -> Json:
        """A message as in ``conversations.history``; metadata only where it was asked for."""
        shape: Json = {"type": "message", "user": message.user, "text": message.text, "ts": message.ts}
        if message.tombstone:
            shape |= {"subtype": "tombstone", "hidden": True}
        elif message.subtype:
            shape["subtype"] = message.subtype
        if message.team:
            shape["team"] = message.team
        if message.client_msg_id:
            shape["client_msg_id"] = message.client_msg_id
        if message.bot_id:
            shape |= {
                "bot_id": message.bot_id,
                "app_id": self._workspace.app.id,
                "bot_profile": self.bot_profile(),
            }
        if message.blocks:
            shape["blocks"] = message.blocks
        if message.attachments:
            shape["attachments"] = message.attachments
        if message.files:
            shape["files"] = [self._file_beside(self._workspace.files[file_id]) for file_id in message.files]
            shape |= {"upload": message.bot_id is not None, "display_as_bot": False}
        if message.edited:
            shape["edited"] = message.edited
        if metadata and message.metadata:
            shape["metadata"] = message.metadata
        return shape | self._reactions(message) | self._thread(message)

    def _reactions(self, message: Message) -> Json:
        if not message.reactions:
            return {}
        drawn = [{"name": name, "users": list(users), "count": len(users)} for name, users in message.reactions.items()]
        return {"reactions": drawn}

    def _thread(self, message: Message) -> Json:
        channel = self._workspace.channels[message.channel]
        if message.is_reply:
            shape: Json = {"thread_ts": message.thread_ts}
            parent = channel.messages.get(message.thread_ts or "")
            if parent is not None:
                shape["parent_user_id"] = parent.user
                if message.subtype == "thread_broadcast":
                    shape["root"] = self.message(parent)
            return shape
        replies = list(self._workspace.replies(channel, message.ts))
        if not replies:
            return {}
        users = list(dict.fromkeys(reply.user for reply in replies))
        return {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users_count": len(users),
            "reply_users": users[:5],
            "latest_reply": replies[-1].ts,
            "is_locked": False,
            "subscribed": True,
        }

    def bot_profile(self) -> Json:
        """The app as it stands beside its messages."""
        app = self._workspace.app
        icon = f"{self.origin}/icon.png"
        return {
            "id": app.bot_id,
            "app_id": app.id,
            "name": app.name,
            "icons": {"image_36": icon, "image_48": icon, "image_72": icon},
            "deleted": False,
            "updated": 1700000000,
            "team_id": self._workspace.team.id,
        }

    def person(self, person: Person) -> Json:
        """A user as in ``users.info``. The keys about admin and guest are absent for a stranger, as on
        Slack."""
        shape: Json = {
            "id": person.id,
            "team_id": person.team_id,
            "name": person.name,
            "real_name": person.real_name,
            "deleted": person.deleted,
            "is_bot": person.is_bot,
            "is_app_user": False,
            "updated": 1700000000,
            "profile": {
                "real_name": person.real_name,
                "display_name": person.name,
                "team": person.team_id,
            },
        }
        if person.is_stranger:
            return shape | {"is_stranger": True}
        if person.deleted:
            return shape
        return shape | {
            "tz": person.tz,
            "tz_offset": person.tz_offset,
            "is_admin": person.is_admin,
            "is_owner": person.is_owner,
            "is_primary_owner": person.is_owner,
            "is_restricted": person.is_restricted,
            "is_ultra_restricted": person.is_ultra_restricted,
        }

    def channel(self, channel: Channel) -> Json:
        """A conversation as in ``conversations.info``."""
        workspace = self._workspace
        if channel.kind == "im":
            other = next((user for user in channel.members if user != workspace.app.user_id), "")
            return {
                "id": channel.id,
                "created": channel.created,
                "is_im": True,
                "is_archived": False,
                "is_org_shared": False,
                "user": other,
                "is_user_deleted": workspace.people[other].deleted if other else False,
                "is_open": True,
            }
        shared = workspace.is_shared(channel)
        return {
            "id": channel.id,
            "name": channel.name,
            "name_normalized": channel.name,
            "created": channel.created,
            "creator": channel.creator,
            "is_channel": channel.kind == "channel",
            "is_group": channel.kind == "group",
            "is_im": False,
            "is_mpim": channel.kind == "mpim",
            "is_private": channel.kind != "channel",
            "is_archived": channel.is_archived,
            "is_general": False,
            "is_member": workspace.bot_is_in(channel),
            "is_shared": shared,
            "is_ext_shared": shared,
            "is_org_shared": False,
            "context_team_id": workspace.team.id,
            "shared_team_ids": sorted({workspace.people[user].team_id for user in channel.members}),
            "num_members": len(channel.members),
            "topic": {"value": "", "creator": "", "last_set": 0},
            "purpose": {"value": "", "creator": "", "last_set": 0},
        }

    def _file_beside(self, file: File) -> Json:
        """A file as its message has it: of another organisation's (Slack Connect) only that ``files.info`` knows
        more."""
        if self._workspace.people[file.user].team_id == self._workspace.team.id or file.deleted or file.hidden:
            return self.file(file)
        return {
            "id": file.id,
            "mode": "file_access",
            "file_access": "check_file_info",
            "created": 0,
            "timestamp": 0,
            "user": "",
        }

    def file(self, file: File) -> Json:
        """A file. Its type and its shares are empty until Slack has processed it."""
        if file.deleted or file.hidden:
            return {"id": file.id, "mode": "tombstone" if file.deleted else "hidden_by_limit"}
        team = self._workspace.team.id
        kind = PurePath(file.name).suffix.removeprefix(".").lower() if file.processed else ""
        private = f"{self.origin}/files-pri/{team}-{file.id}"
        name = quote(file.name, safe="")
        shares = _shares_by_visibility(self._workspace, file)
        places: Json = {
            "mode": "hosted",
            "is_external": False,
            "external_type": "",
            "url_private": f"{private}/{name}",
            "url_private_download": f"{private}/download/{name}",
        }
        if file.external_url:
            places = {
                "mode": "external",
                "is_external": True,
                "external_type": "gdrive",
                "external_url": file.external_url,
                "url_private": file.external_url,
            }
        return {
            "id": file.id,
            "created": file.created,
            "timestamp": file.created,
            "name": file.name,
            "title": file.title,
            "mimetype": mimetype(file) if file.processed else "",
            "filetype": kind,
            "pretty_type": _PRETTY.get(kind, kind.upper()),
            "user": file.user,
            "user_team": self._workspace.people[file.user].team_id,
            "editable": False,
            "size": file.size,
            **places,
            "is_public": "public" in shares,
            "public_url_shared": False,
            "display_as_bot": False,
            "username": "",
            "media_display_type": _display_type(file),
            "permalink": f"{self.origin}/files/{file.user}/{file.id}/{name}",
            "file_access": "visible",
            "shares": shares,
            "channels": self._shared_in(file, "channel"),
            "groups": self._shared_in(file, "group"),
            "ims": self._shared_in(file, "im"),
            "has_rich_preview": False,
        }

    def _shared_in(self, file: File, kind: str) -> list[str]:
        return [key for key in file.shares if self._workspace.channels[key].kind == kind]

    def ephemeral(self, ephemeral: Ephemeral) -> Json:
        """An ephemeral as the control API shows it; Slack itself has no way to read one back."""
        return {
            "ts": ephemeral.ts,
            "channel": ephemeral.channel,
            "user": ephemeral.user,
            "author": ephemeral.author,
            "text": ephemeral.text,
            "blocks": ephemeral.blocks,
            "thread_ts": ephemeral.thread_ts,
            "deleted": ephemeral.deleted,
        }

    def view(self, view: View) -> Json:
        """A view as ``views.open`` answers and interactions carry it, without what the person typed."""
        app = self._workspace.app
        body = view.body
        shape: Json = {
            "id": view.id,
            "team_id": self._workspace.team.id,
            "type": body["type"],
            "blocks": body["blocks"],
            "private_metadata": body.get("private_metadata", ""),
            "callback_id": body.get("callback_id", ""),
            "external_id": body.get("external_id", ""),
            "state": {"values": {}},
            "hash": view.hash,
            "clear_on_close": body.get("clear_on_close", False),
            "notify_on_close": body.get("notify_on_close", False),
            "root_view_id": view.root,
            "previous_view_id": view.previous,
            "app_id": app.id,
            "app_installed_team_id": self._workspace.team.id,
            "bot_id": app.bot_id,
        }
        return shape | {part: body.get(part) for part in ("title", "submit", "close")}


def mimetype(file: File) -> str:
    """The type that Slack shows for a file, by its name."""
    return mimetypes.guess_type(file.name)[0] or "application/octet-stream"


def _display_type(file: File) -> str:
    kind = mimetype(file).split("/")[0] if file.processed else ""
    return kind if kind in {"video", "audio"} else "unknown"


def _shares_by_visibility(workspace: Workspace, file: File) -> Json:
    shares: Json = {}
    for channel_id, places in file.shares.items():
        side = "public" if workspace.channels[channel_id].kind == "channel" else "private"
        shares.setdefault(side, {})[channel_id] = places
    return shares
