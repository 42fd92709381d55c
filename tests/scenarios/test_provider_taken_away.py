"""A restart without a provider that clips were ordered from, or were to be: nothing that is paid is lost, nothing waits
in silence, and what nobody ordered yet is made elsewhere or given back."""

from pathlib import Path

from tests.sandbox.driver import Json
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.scenarios.threads import DRAFT


async def card_says(play: Stage, prompt: str, *words: str) -> Json:
    """Wait until the card of that prompt says all of this."""
    return await play.studio.message_where(
        lambda one: (
            bool(one.get("blocks"))
            and not one.get("files")
            and prompt in one["text"]
            and all(word in str(one["blocks"]) for word in words)
        ),
        what=f"the card of “{prompt}” says {' and '.join(words)}",
    )


@HTTP_IN_THE_STORM
async def test_without_its_provider_a_clip_goes_elsewhere_or_is_given_back_and_a_paid_one_waits_for_the_key(
    stage: MakeStage, tmp_path: Path
) -> None:
    async with stage(tmp_path, PROVIDERS="hiapi,muapi", HIAPI_CONCURRENCY="1", HIAPI_IDEMPOTENCY="false") as play:
        await play.provider(fidelity="cached", render_seconds=[0.1, 0.1])
        await play.studio.post("/providers/muapi/settings", fidelity="cached", render_seconds=[0.1, 0.1])
        await play.studio.fault("hiapi:create", "amid", "close", match={"prompt": "a question"})
        await play.studio.slash("maya", "/clip a question --provider hiapi")
        await card_says(play, "a question", "*uncertain*")
        await play.studio.fault("hiapi:outcome", "do", "slow", factor=60, match={"prompt": "a render"})
        await play.studio.slash("maya", "/clip a render --provider hiapi")
        await card_says(play, "a render", "*rendering*")
        await play.studio.slash("maya", "/clip a named one --provider hiapi")
        await play.studio.slash("ben", "/clip whoever can")
        await play.until_rows("select 1 from jobs where state = 'queued' group by state having count(*) = 2")

        assert await play.bot.terminate() == 0
        await play.start_bot(PROVIDERS="muapi")
        await card_says(play, "whoever can", "HiAPI is not set up here any more", "made by Muapi at $0.32 a clip")
        named = await card_says(play, "a named one", "*failed*", "Nothing was charged.")
        assert "HiAPI is not set up here any more" in str(named["blocks"])
        for prompt in ("a render", "a question"):
            await card_says(play, prompt, "until the key of HiAPI is set again", "`HIAPI_API_KEY`")
        await play.clips(1)
        assert len(await play.ledger()) == 2, "nothing more was ordered there"
        assert play.sums() == {
            "held_micro_usd": 2 * DRAFT,
            "settled_micro_usd": DRAFT,
            "released_micro_usd": 2 * DRAFT,
        }
        assert "Traceback" not in play.bot.log()

        assert await play.bot.terminate() == 0
        await play.studio.heal()
        await play.start_bot()
        await play.clips(2)
        assert len(await play.ledger()) == 2
        uncertain = await card_says(play, "a question", "answer was lost")
        assert "HIAPI_API_KEY" not in str(uncertain["blocks"])
