"""What one file may cost us, whatever a provider would take: figures that are looked at before anything is decoded."""

MOST_PIXELS = 80_000_000
"""Of a picture. The largest phone cameras make 50 million; in memory this many are 320 MB."""

MOST_FRAME_PIXELS = 4096 * 2304
"""Of one frame of a video: 4K."""

MOST_FILM_PIXELS = MOST_FRAME_PIXELS * 120 * 15
"""Of all frames of a video that are decoded: 15 seconds, the longest that anybody takes, of 4K at 120 frames a second,
the most that phones film. An empty frame is a few bytes and takes as long as any other."""

LEAST_FRAME_PIXELS = 50_000
"""That a frame counts for: it takes its time, however small it is."""

LARGEST_OUTPUT_BYTES = 256 * 1024 * 1024
"""That a mended file may ever have on the disk."""
