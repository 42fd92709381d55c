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

SMALL_BODY = 64_000
"""So much of each body is always read. All that people type and click fits into it, so that who sends large bodies
fills no room that Slack needs."""

MOST_BODY_BYTES = 32_000_000
"""Of what bodies have beyond that, over all connections; further ones are answered 503."""

MOST_CONNECTIONS = 500
"""For a further one, the connection closes that has been without a request for longest."""

FILES_FOR_EACH_CONNECTION = 2
"""Where few files may be open, half of them are for connections; databases, clips and Slack need the others."""

MOST_ACCEPTED = 64
"""Connections accepted in one turn of the loop, before any of them is counted."""

FILES_FOR_EACH_ACCEPTED = 32
"""As above; those of about four turns are open before the first too many is closed."""

MOST_ANSWERS = 1000
"""Answers in preparation, also for those who have hung up meanwhile; further requests are answered 503."""

BACKLOG = 1024
"""Connections that wait while the loop is busy; the kernel refuses further ones."""

RECEIVE_BUFFER = 64_000
"""What the kernel keeps of a connection, and so about the most that one reading brings before an application can
say that it does not want it."""

ANSWER_SECONDS = 5.0
"""For an answer to leave: who asks and does not take what was asked for would stay connected for ever."""

MOST_DOWNLOADS = 64
"""Files that are sent at once; about a megabyte of each is in memory."""

PIECE_BYTES = 64_000
"""So much of a file is written at once. The kernel's buffer and ours aside, this is what has to leave within
ANSWER_SECONDS, so that whoever takes less than some 25 kB a second is let go."""

DOWNLOAD_SECONDS = 600.0
"""For a whole file, however steadily it trickles."""

PROBE_SECONDS = 1.0
"""So long a part's state is remembered: whoever can reach the port may ask as often as they like."""

STOP_SECONDS = 2
"""For answers under way when the program ends; all of it has ten."""

LAST_WORDS_SECONDS = 0.5
"""For those among them that are stopped then, to say so."""

LONGEST_PATH = 60
"""Characters of a path in a line of the log."""

LONGEST_SEGMENT = 20
"""Characters between two slashes there; longer ones could be a secret of an address, and are cut."""
