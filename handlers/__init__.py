"""Everything that knows Slack: listeners coming in, messages and files going out, every Block Kit dict."""
