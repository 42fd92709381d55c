"""The text door to what can be set: ``/clip-settings``. Everybody may look; who changes something is an admin."""

from bot.domain.preferences import WHOLE_WORKSPACE, PreferenceError
from bot.services.taking import Sender
from handlers.blocks.kit import Message
from handlers.blocks.settings import changed, explained, settings_help, sheet
from handlers.doors import Doors
from handlers.grammar.preferences import parse_preferences


async def settings_answer(doors: Doors, sender: Sender, text: str) -> Message:
    """The private answer to the command's text. Raises NotAllowed, a StorageError, and whatever else a door explains
    in its own words."""
    try:
        asked = parse_preferences(text)
        if asked.help:
            return settings_help()
        subject = WHOLE_WORKSPACE if asked.everywhere else sender.channel
        if asked.assignments:
            made = await doors.configuring.change(sender.workspace, subject, asked.assignments, person=sender.person)
            return changed(made)
        shown = await doors.configuring.sheet(sender.workspace, subject)
        # Who is kept out is nobody's business but the admins'.
        lists = await doors.configuring.may_change(sender.workspace, subject, sender.person)
        return sheet(shown, with_lists=lists)
    except PreferenceError as error:
        return explained(error)
