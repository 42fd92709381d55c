"""Is this stream of bytes a whole MP4? Told from its boxes alone, as the bytes pass.

An MP4 is a row of boxes: four bytes of length, four of type, then the content (ISO/IEC 14496-12, section 4.2). A file
that was cut off ends inside a box; an error page, a picture or an empty answer has no ``ftyp`` box in front; a
file without ``moov`` cannot be played. Nothing is decoded here.
"""

_HEADER = 8
_LARGE_HEADER = 16


class NotAnMP4(Exception):
    """The bytes are not a whole, playable MP4; ``why`` says what is wrong."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"The file is not a whole MP4: {why}.")


class BoxScanner:
    """Feed it the bytes in any pieces, then ``finish``. Needs a few bytes of memory, whatever the size."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._to_skip = 0
        self._to_the_end = False
        self._seen: set[bytes] = set()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Raises NotAnMP4 as soon as they cannot be one."""
        view = memoryview(chunk)
        while view:
            if self._to_the_end:
                return
            if self._to_skip:
                taken = min(self._to_skip, len(view))
                self._to_skip -= taken
            else:
                taken = self._read_header(view)
            view = view[taken:]

    def finish(self) -> None:
        """The stream is over. Raises NotAnMP4 when a box is cut off or one that must be there is missing."""
        if not self._seen:
            raise NotAnMP4("it is empty or too short")
        if self._to_skip or self._header:
            raise NotAnMP4("it is cut off")
        for box in (b"moov", b"mdat"):
            if box not in self._seen:
                raise NotAnMP4(f"it has no {box.decode()} box")

    def _read_header(self, view: memoryview) -> int:
        wanted = _LARGE_HEADER if self._is_large() else _HEADER
        taken = min(wanted - len(self._header), len(view))
        self._header += view[:taken]
        if len(self._header) == wanted and not (wanted == _HEADER and self._is_large()):
            self._open_box()
        return taken

    def _is_large(self) -> bool:
        return len(self._header) >= _HEADER and self._header[:4] == b"\x00\x00\x00\x01"

    def _open_box(self) -> None:
        kind = bytes(self._header[4:8])
        if not self._seen and kind != b"ftyp":
            raise NotAnMP4("it does not begin like one")
        size = int.from_bytes(self._header[8:16] if self._is_large() else self._header[:4], "big")
        if size == 0:
            self._to_the_end = True
        elif size < len(self._header):
            raise NotAnMP4("a box has an impossible length")
        self._seen.add(kind)
        self._to_skip = 0 if size == 0 else size - len(self._header)
        self._header.clear()
