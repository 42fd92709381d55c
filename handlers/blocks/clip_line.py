"""The message that carries a clip: its one line, the file's title, the file's name."""

import re

from bot.domain.job import AskKind, Job
from bot.domain.lineage import differences
from bot.ports import ClipPost
from handlers.blocks.kit import cut, escape, one_line
from handlers.blocks.words import price_words, provider_name, recipe_words, waited_words

LONGEST_TITLE = 120
LONGEST_DIFFERENCE = 120
"""Characters of one changed value: short, because Slack's uploader may carry the line in an address."""

_UNSAFE = re.compile(r"[^A-Za-z0-9-]+")


def clip_comment(post: ClipPost) -> str:
    """One complete mrkdwn line: number, take, recipe, waiting time, price, provider, and where it comes from."""
    job = post.job
    parts = [
        f"*#{job.number}*",
        f"take {job.take} of {job.takes}" if job.takes > 1 else "",
        recipe_words(job.recipe),
        _waited(job),
        _price(job),
        provider_name(job.provider),
        _origin(post),
    ]
    return " · ".join(part for part in parts if part)


def clip_title(post: ClipPost) -> str:
    """The file's title: plain text, which Slack shows as it is."""
    return cut(one_line(f"#{post.job.number} {post.job.recipe.prompt}"), LONGEST_TITLE)


def clip_filename(post: ClipPost) -> str:
    """``dailies-2-480p-01JD….mp4``: sorts by number, says the resolution, and leads back to the job."""
    job = post.job
    return f"dailies-{job.number}-{job.recipe.resolution.value}-{_UNSAFE.sub('', job.id)}.mp4"


def _waited(job: Job) -> str:
    """From the order to the finished render: posting it later again does not make it slower."""
    if job.rendered_at is None:
        return ""
    return f"ready in {waited_words(job.rendered_at - (job.submitted_at or job.created_at))}"


def _price(job: Job) -> str:
    cost = job.price_micro_usd if job.cost_micro_usd is None else job.cost_micro_usd
    assumed = job.price_assumed and cost == job.price_micro_usd
    return price_words(cost, assumed=assumed, provider=job.provider)


def _origin(post: ClipPost) -> str:
    parent, job = post.parent, post.job
    if parent is None:
        return ""
    if post.ask.kind is AskKind.PROMOTION:
        resolution = job.recipe.resolution.value
        # A seed does not carry a composition to another resolution, so nobody is to expect the same picture.
        return f"Final of #{parent.number}: same recipe again at {resolution}, a re-shoot and not an upscale"
    changed = [
        f"{name} {escape(cut(before, LONGEST_DIFFERENCE))} → {escape(cut(after, LONGEST_DIFFERENCE))}"
        for name, before, after in differences(parent.recipe, job.recipe)
        if name != "prompt"
    ]
    if parent.recipe.prompt != job.recipe.prompt:
        changed.append(f"prompt now “{escape(_added(parent.recipe.prompt, job.recipe.prompt))}”")
    return f"Variant of #{parent.number}: {', '.join(changed) or 'same recipe again'}"


def _added(before: str, after: str) -> str:
    """What was added to a prompt, or the new prompt where more than that changed."""
    new = after.removeprefix(before).removeprefix(". ") if after.startswith(before) else after
    prefix = "… " if new != after else ""
    return prefix + cut(one_line(new), LONGEST_DIFFERENCE)
