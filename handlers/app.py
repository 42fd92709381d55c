"""The Bolt app: every listener in one place, and the settings of Bolt that our promises rest on."""

import logging
import re

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from handlers import actions, commands, reactions, threads
from handlers.doors import Doors, Identity


def build_app(
    *,
    client: AsyncWebClient,
    identity: Identity,
    doors: Doors,
) -> AsyncApp:
    """Bolt with our listeners.

    ``process_before_response`` makes the answer leave when the listener ends: an accepting ack comes after the
    commit, and an event whose listener raised is not acknowledged, so that Slack sends it again. ``authorize`` is
    ours: Bolt's own calls ``auth.test`` before the first listener, and a person would wait for it. Signatures are
    verified in ``handlers.http``, before Bolt sees a request; a socket was opened with our own token.
    """
    authorized = AuthorizeResult(
        enterprise_id=None,
        team_id=identity.workspace,
        bot_user_id=identity.bot_user,
        bot_id=identity.bot_id,
        bot_token=client.token,
    )

    async def authorize() -> AuthorizeResult:
        return authorized

    app = AsyncApp(
        client=client,
        authorize=authorize,
        process_before_response=True,
        request_verification_enabled=False,
        logger=logging.getLogger("slack_bolt"),
    )
    commands.register(app, doors)
    reactions.register(app, doors)
    threads.register(app, doors)
    actions.register(app, doors)
    _register_the_rest(app)
    return app


def _register_the_rest(app: AsyncApp) -> None:
    """An event that nobody handles would be answered 404, which Slack takes for a failure and sends again."""

    @app.event(re.compile(".*"))
    async def anything_else() -> None:
        """Nothing of ours."""
