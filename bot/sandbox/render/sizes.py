"""How large a clip is: width and height in pixels by resolution and ratio.

The 16:9 sizes, those of 480p and 720p at 9:16, 1:1 and 21:9, and 1920x1080 are what the model behind all five
providers gives; the others follow the same number of pixels, made even for H.264's halved colour planes.
"""

from __future__ import annotations

from collections.abc import Mapping

FRAMES_PER_SECOND = 24

_SIZES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "480p": {
        "16:9": (864, 496),
        "9:16": (496, 864),
        "1:1": (640, 640),
        "4:3": (752, 560),
        "3:4": (560, 752),
        "21:9": (992, 432),
        "3:2": (792, 528),
    },
    "720p": {
        "16:9": (1280, 720),
        "9:16": (720, 1280),
        "1:1": (960, 960),
        "4:3": (1112, 834),
        "3:4": (834, 1112),
        "21:9": (1470, 630),
        "3:2": (1176, 784),
    },
    "1080p": {
        "16:9": (1920, 1080),
        "9:16": (1080, 1920),
        "1:1": (1440, 1440),
        "4:3": (1664, 1248),
        "3:4": (1248, 1664),
        "21:9": (2206, 946),
        "3:2": (1764, 1176),
    },
}

RESOLUTIONS = tuple(_SIZES)
RATIOS = tuple(_SIZES["480p"])
_UNASKED = tuple(ratio for ratio in RATIOS if ratio != "3:2")
"""What a clip may take of itself: 3:2 is one reseller's, on demand."""


def frame_size(resolution: str, ratio: str) -> tuple[int, int]:
    """Width and height. Raises `KeyError` for what is not in `RESOLUTIONS` or `RATIOS`."""
    return _SIZES[resolution][ratio]


def nearest_ratio(width: int, height: int) -> str:
    """The ratio that an ``adaptive`` clip takes from its first picture."""
    shape = width / height

    def distance(ratio: str) -> float:
        across, down = ratio.split(":")
        asked = int(across) / int(down)
        return max(shape / asked, asked / shape)

    return min(_UNASKED, key=distance)
