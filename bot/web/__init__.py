"""What the process serves over HTTP: its health."""
