"""The pure heart: values and rules. Nothing here does I/O, reads a clock or knows Slack, SQL or HTTP."""
