"""What the process serves over HTTP: its health, and in HTTP mode Slack's requests."""
