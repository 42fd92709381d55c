"""What the pretend providers write behind a film: whose clip it is."""

import json
import uuid

from tests.sandbox.driver import Json

STAMP = uuid.UUID("0c7a5f6e-5d3b-4f53-9a0f-6b1c2d9e4a70").bytes
"""The type of the box that holds it, at the end of the file."""


def stamp_of(contents: bytes) -> Json:
    """Whose clip the provider says that it is."""
    stamp: Json = json.loads(contents[contents.rindex(STAMP) + len(STAMP) :])
    return stamp
