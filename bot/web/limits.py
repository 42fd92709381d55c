"""Every limit of the HTTP server, in one place. Times are in seconds, sizes in bytes.

Whoever can reach the port can reach them, so each is the smallest with which Slack is never in doubt: its requests are
a few kilobytes, and it waits 3 seconds for an answer.
"""

HEADERS_SECONDS = 5.0
"""From a request's first byte to the end of its headers (from a connection's beginning to its first byte)."""

READ_SECONDS = 5.0
"""For a body that an application reads. Longer than Slack waits, and shorter than BODY_SECONDS, so that a slow sender
gets an answer."""

BODY_SECONDS = 8.0
"""For any body, also one that nobody reads: after its answer, it would go on holding one of the connections."""

LARGEST_HEADERS = 32_000
"""A request before its body; Slack sends about one thousand bytes."""

LARGEST_BODY = 1_000_000
"""Slack's own largest, a view with its state, is a quarter of that."""

DRAINED_BYTES = 4_000_000
"""Of a body that is too large, so much more is read and thrown away: who is still sending when the connection closes
sees a broken connection instead of the answer."""

DRAIN_SECONDS = 1.0
"""And for so long."""

LINGER_SECONDS = 1.0
"""As above, where no application answers."""

MOST_CONNECTIONS = 500
"""Further ones are answered 503, so that memory and open files stay bounded."""

BACKLOG = 1024
"""Connections that wait while the loop is busy; the kernel refuses further ones."""

STOP_SECONDS = 2
"""For answers under way when the program ends; all of it has ten."""

LONGEST_PATH = 60
"""Characters of a path in a line of the log."""

LONGEST_SEGMENT = 20
"""Characters between two slashes there; longer ones could be a secret of an address, and are cut."""
