"""The sample files of the demo page are what they say, and can be given to a provider."""

from pathlib import Path

import httpx

from bot.domain.recipe import MediaKind
from bot.domain.reference import SEEDANCE_LIMITS
from bot.media import ProcessMediaRoom
from bot.sandbox.page.samples import SAMPLES
from bot.sandbox.server import Sandbox

MENDED = {"IMG_0001.jpg": ["turned upright"]}
"""What is to be mended of which, so that a visitor sees it done."""


async def test_every_sample_fits_a_provider_or_shows_how_it_is_made_to(tmp_path: Path) -> None:
    server, room = Sandbox(data_dir=tmp_path / "sandbox"), ProcessMediaRoom()
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.slack_origin, trust_env=False, timeout=30) as http:
            listed = (await http.get("/page/samples")).json()
            assert [one["name"] for one in listed] == [sample.name for sample in SAMPLES]
            assert all(one["label"] and one["detail"] for one in listed)
            for sample in SAMPLES:
                answer = await http.get(f"/page/sample/{sample.name}")
                assert answer.headers["content-type"].partition(";")[0] == sample.mime
                assert (await http.get(f"/page/sample/{sample.name}")).content == answer.content
                path = tmp_path / sample.name
                path.write_bytes(answer.content)
                kind = MediaKind(sample.mime.partition("/")[0])
                into = tmp_path / f"{sample.name} mended"
                into.mkdir()
                ready = await room.prepare(path, name=sample.name, wanted=kind, limits=SEEDANCE_LIMITS, into=into)
                assert [mend.words for mend in ready.mends] == MENDED.get(sample.name, [])
            assert (await http.get("/page/sample/other.png")).status_code == 404
    finally:
        await room.close()
        await server.close()
