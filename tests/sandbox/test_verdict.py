"""When the drawer's verdict is red: each cause by itself, and what is no cause."""

from dataclasses import replace

import pytest

from bot.sandbox.page.verdict import (
    GRACE_SECONDS,
    Auditor,
    Books,
    Charge,
    Clip,
    Verdict,
    job_of_clip,
    job_of_key,
    judge,
)

MUG, BOAT = Charge(job="01A", prompt="a mug"), Charge(job="01B", prompt="a boat")
MUG_CLIP = Clip(job="01A", name="dailies-1-480p-01A.mp4")
BOAT_CLIP = Clip(job="01B", name="dailies-2-480p-01B.mp4")
UNDER_WAY = replace(BOAT, is_at_work=True)
GIVEN_BACK = replace(BOAT, is_refunded=True)


def after_the_grace(*, charges: tuple[Charge, ...], clips: tuple[Clip, ...], is_hindered: bool = False) -> Verdict:
    books = Books(charges=charges, clips=clips, is_hindered=is_hindered)
    return judge(books, quiet_seconds=GRACE_SECONDS)


def test_an_ask_that_was_charged_twice_is_wrong_at_once() -> None:
    for again in (MUG, replace(MUG, is_at_work=True)):
        verdict = judge(Books(charges=(MUG, again), clips=(MUG_CLIP,)), quiet_seconds=0)
        assert verdict.words == "2 charges, 1 clip"
        assert verdict.wrongs == ("“a mug” was charged twice.",)


def test_two_takes_of_one_prompt_are_two_asks_and_a_refund_undoes_a_charge() -> None:
    take = replace(MUG, job="01C")
    other = Clip(job="01C", name="dailies-2-480p-01C.mp4")

    assert after_the_grace(charges=(MUG, take), clips=(MUG_CLIP, other)).wrongs == ()
    assert after_the_grace(charges=(MUG, replace(MUG, is_refunded=True)), clips=(MUG_CLIP,)).wrongs == ()


def test_a_clip_that_stands_twice_is_wrong_at_once() -> None:
    verdict = judge(Books(charges=(MUG,), clips=(MUG_CLIP, MUG_CLIP, MUG_CLIP)), quiet_seconds=0)

    assert verdict.words == "1 charge, 1 clip"
    assert verdict.wrongs == ("The clip dailies-1-480p-01A.mp4 stands 3 times.",)


def test_a_clip_that_was_deleted_before_it_came_again_stands_once() -> None:
    verdict = after_the_grace(charges=(MUG,), clips=(replace(MUG_CLIP, stands=False), MUG_CLIP))

    assert verdict == Verdict(words="1 charge, 1 clip")


def test_a_charge_without_its_clip_is_wrong_once_the_grace_is_over() -> None:
    verdict = after_the_grace(charges=(MUG, BOAT), clips=(MUG_CLIP,))

    assert verdict.words == "2 charges, 1 clip"
    assert verdict.wrongs == ("Paid for, and no clip came: “a boat”.",)
    assert verdict.detail == ""


def test_a_clip_without_a_charge_is_wrong_once_the_grace_is_over() -> None:
    verdict = after_the_grace(charges=(MUG, GIVEN_BACK), clips=(MUG_CLIP, BOAT_CLIP))

    assert verdict.wrongs == ("Delivered without a charge: “dailies-2-480p-01B.mp4”.",)


def test_a_clip_that_came_twice_does_not_stand_for_another_that_never_came() -> None:
    """The count is even, two charges and two files; the jobs are not."""
    again = replace(MUG_CLIP, name="dailies-2-480p-01A.mp4")
    books = Books(charges=(MUG, BOAT), clips=(MUG_CLIP, again))

    early, late = judge(books, quiet_seconds=0), judge(books, quiet_seconds=GRACE_SECONDS)

    assert early.words == late.words == "2 charges, 1 clip"
    assert early.detail == "1 charge without a clip in a thread (yet)."
    assert early.wrongs == ("The clip dailies-1-480p-01A.mp4 stands twice.",)
    assert late.wrongs == (*early.wrongs, "Paid for, and no clip came: “a boat”.")


def test_a_clip_of_another_job_does_not_stand_for_the_one_that_was_paid() -> None:
    verdict = after_the_grace(charges=(MUG,), clips=(BOAT_CLIP,))

    assert verdict.words == "1 charge, 1 clip"
    assert verdict.wrongs == (
        "Paid for, and no clip came: “a mug”.",
        "Delivered without a charge: “dailies-2-480p-01B.mp4”.",
    )


def test_a_charge_under_a_foreign_key_balances_one_clip_whose_charge_is_not_known() -> None:
    by_hand = Charge(job="tk-1", prompt="by hand", names_job=False)
    another = replace(by_hand, job="tk-2", prompt="another")

    assert after_the_grace(charges=(MUG, by_hand), clips=(MUG_CLIP, BOAT_CLIP)).wrongs == ()
    (wrong,) = after_the_grace(charges=(by_hand, another), clips=(BOAT_CLIP,)).wrongs
    assert wrong == "Paid for, and no clip came: “another”."


def test_a_clip_that_is_missing_is_told_beside_another_that_renders() -> None:
    lost, rendering = MUG, UNDER_WAY

    detail = judge(Books(charges=(lost, rendering), clips=()), quiet_seconds=0).detail

    assert detail == "1 clip being rendered. 1 charge without a clip in a thread (yet)."


def test_of_many_lost_clips_the_first_are_named() -> None:
    charges = tuple(Charge(job=f"0{number}", prompt=f"take {number}") for number in range(5))

    (wrong,) = after_the_grace(charges=charges, clips=()).wrongs
    assert wrong == "Paid for, and no clip came: “take 0”, “take 1”, “take 2” and 2 more."


@pytest.mark.parametrize(
    ("books", "quiet", "detail"),
    [
        (Books(charges=(MUG, UNDER_WAY), clips=(MUG_CLIP,)), 9999, "1 clip being rendered."),
        (
            Books(charges=(MUG, BOAT), clips=(MUG_CLIP,)),
            GRACE_SECONDS - 1,
            "1 charge without a clip in a thread (yet).",
        ),
        (
            Books(charges=(MUG, BOAT), clips=(MUG_CLIP,), is_hindered=True),
            9999,
            "1 charge without a clip in a thread (yet).",
        ),
        (Books(charges=(MUG, GIVEN_BACK), clips=(MUG_CLIP,)), 9999, "1 charge given back."),
        (Books(charges=(MUG,), clips=(replace(MUG_CLIP, stands=False),)), 9999, "1 clip deleted afterwards."),
        (Books(), 9999, ""),
    ],
    ids=["rendering", "on its way", "hindered", "given back", "deleted by a person", "nothing yet"],
)
def test_work_in_progress_is_not_wrong(books: Books, quiet: float, detail: str) -> None:
    verdict = judge(books, quiet_seconds=quiet)

    assert verdict.wrongs == ()
    assert verdict.detail == detail


def test_the_grace_begins_anew_with_every_change() -> None:
    now = 0.0
    auditor = Auditor(clock=lambda: now)
    lost = Books(charges=(MUG,))

    assert auditor.verdict(lost).wrongs == ()
    now += GRACE_SECONDS - 1
    assert auditor.verdict(replace(lost, is_hindered=True)).wrongs == ()
    assert auditor.verdict(lost).wrongs == ()
    now += GRACE_SECONDS - 1
    assert auditor.verdict(lost).wrongs == ()
    now += 1
    assert auditor.verdict(lost).wrongs == ("Paid for, and no clip came: “a mug”.",)
    assert auditor.verdict(replace(lost, clips=(MUG_CLIP,))).wrongs == ()


def test_jobs_are_read_from_keys_and_from_names_of_files() -> None:
    assert job_of_key("01ABC-1") == job_of_key("01ABC-2") == "01ABC"
    assert job_of_key("by-hand") is None
    assert job_of_key(None) is None
    assert job_of_clip("dailies-12-720p-01ABC.mp4") == "01ABC"
    assert job_of_clip("holiday.mp4") is None
