"""The sandbox: a Slack workspace and the providers behind Dailies, as a real server on this machine.

It runs as its own process (``python -m bot.sandbox``) and speaks only HTTP and WebSocket, so the bot talks
to it
exactly as it talks to the real services. Nothing here imports the bot, and nothing of the bot imports this.
"""
