"""The media room: checks and mends files of strangers, in processes of their own with limits on time and memory.

``room`` is the way in and the only module that runs inside the bot; ``worker`` is the program of the processes, and
``sniff``, ``pictures``, ``films`` and ``sounds`` are what it knows.
"""

from bot.media.room import ProcessMediaRoom

__all__ = ["ProcessMediaRoom"]
