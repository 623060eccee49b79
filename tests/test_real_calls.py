"""Real calls by both front ends: SIPp callers, a real Asterisk, the daemon as a process, the public age tool as witness.

All calls of a front end are placed side by side, and both front ends at once, before the first test; each test then looks
at what one of them left.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import dialogue_files as files
from tests.pbx.speech import read_wav, whose
from tests.pbx.stage import DIALOGUES, Stage, prompt_lengths, staged

pytestmark = pytest.mark.pbx

FRONTS = ("ari", "agi")


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stage]]:
    contexts = {front: staged(tmp_path_factory.mktemp(front), front) for front in FRONTS}
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        futures = {front: pool.submit(context.__enter__) for front, context in contexts.items()}
        for front, future in futures.items():
            if future.exception() is None:
                stack.push(contexts[front].__exit__)
        yield {front: future.result() for front, future in futures.items()}


@pytest.fixture(scope="module", params=FRONTS)
def stage(request: pytest.FixtureRequest, stages: dict[str, Stage]) -> Stage:
    return stages[request.param]


@pytest.mark.parametrize("file", DIALOGUES, ids=lambda file: file.name)
def test_each_dialogue_file_acted_by_a_real_caller_ends_as_it_says(stage: Stage, file: files.DialogueFile) -> None:
    assert file.name not in stage.problems, stage.problems
    if file.name == "hangup-while-noting":
        # Who is first, the hangup or the verdict, is not ours to say; more than a moment is never recorded.
        row = stage.recording(file.name) or {"state": "not_started", "seconds": 0}
        assert row["state"] in {"not_started", "sealed"}
        assert float(str(row["seconds"])) < 0.5
        return
    assert stage.decision(file.name)["outcome"] == str(file.outcome), file.sentence
    hung_up = file.outcome == "hangup_in_prompt"
    granted = file.outcome in {"granted", "withdrawn"}
    otherwise = "route" if file.terms.must else "unrecorded"
    assert stage.result(file.name) == (None if hung_up else "recorded" if granted else otherwise)
    row = stage.recording(file.name)
    assert (row or {}).get("state") == {"granted": "sealed", "withdrawn": "erased"}.get(str(file.outcome))


@pytest.mark.parametrize("file", [file for file in DIALOGUES if file.outcome == "granted"], ids=lambda file: file.name)
def test_con_02_a_granted_recording_opens_with_age_and_holds_both_voices(
    stage: Stage, file: files.DialogueFile
) -> None:
    row = stage.recording(file.name)
    assert row is not None
    sound = read_wav(stage.installation.opened(str(row["id"])))
    seconds = whose(sound)
    assert seconds["caller"] >= 1.5
    assert seconds["agent"] >= 1.5
    assert str(row["started_at"]) >= str(stage.decision(file.name)["decided_at"])


def test_con_01_only_granted_calls_ever_had_a_file_in_the_spool(stage: Stage) -> None:
    granted = {str(row["id"]) for row in stage.recordings.values()}
    assert {name.split(".")[0] for name in stage.witness.lives} <= granted


def test_sec_02_plaintext_is_gone_within_seconds_of_its_end(stage: Stage) -> None:
    assert all(life.removed and life.plaintext_seconds < 5 for life in stage.witness.lives.values())
    assert not list(stage.asterisk.spool.iterdir())


def test_inf_03_a_caller_whose_channel_speaks_swedish_is_asked_in_swedish(stage: Stage) -> None:
    decision = stage.decision("swedish")
    swedish = next(row for row in stage.installation.json("prompts", "list") if row["language"] == "sv")
    assert (decision["language"], decision["prompt_sha256"]) == ("sv", swedish["sha256"])
    assert decision["outcome"] == "granted"


def test_inf_03_a_language_that_the_line_does_not_speak_falls_back_to_its_first(stage: Stage) -> None:
    assert stage.decision("unspoken-language")["language"] == "en"


def test_inf_05_a_prompt_file_that_is_missing_records_nobody(stage: Stage) -> None:
    assert stage.decision("prompt-removed")["outcome"] == "prompt_error"
    assert stage.result("prompt-removed") == "unrecorded"
    assert stage.recording("prompt-removed") is None


def test_inf_05_a_prompt_that_asterisk_cannot_play_records_nobody(stage: Stage) -> None:
    assert stage.decision("prompt-unplayable")["outcome"] == "prompt_error"
    assert stage.decision("prompt-unplayable")["reason"] == "prompt_failed"
    assert stage.result("prompt-unplayable") == "unrecorded"


def test_con_04_the_ledger_says_by_which_front_end_a_call_was_asked(stage: Stage) -> None:
    assert stage.front_of("accept") == stage.front_of("refuse") == stage.front


def test_con_03_a_hangup_in_the_prompt_notes_how_much_of_it_was_heard(stage: Stage) -> None:
    decision = stage.decision("hangup-in-prompt")
    assert 0 < int(str(decision["heard_ms"])) < int(str(decision["mandatory_ms"])) * 2
    assert stage.decision("hangup-after-prompt")["heard_ms"] > decision["heard_ms"]  # type: ignore[operator] # ints


def test_fcl_01_a_caller_who_hangs_up_at_once_leaves_no_recording(stage: Stage) -> None:
    assert stage.result("hangs-up-at-once") is None
    decision = stage.decisions.get(str(stage.result("hangs-up-at-once", "call")))
    assert decision is None or (decision["outcome"], decision["reason"]) == ("hangup_in_prompt", "hangup")


def test_sec_03_a_caller_without_a_number_is_recorded_without_a_subject(stage: Stage) -> None:
    call = stage.asterisk.db("result")
    assert call["anonymous"] == "recorded"


def test_an_agent_who_never_answers_leaves_no_recording(stage: Stage) -> None:
    row = stage.recording("agent-never-answers")
    assert row is not None
    assert row["state"] == "not_started"


def test_a_key_in_the_sound_itself_counts_as_one_by_info(stage: Stage) -> None:
    assert stage.decision("rfc4733")["outcome"] == "granted"


def test_con_01_of_two_keys_at_once_the_first_that_asterisk_reports_counts(stage: Stage) -> None:
    outcome, row = stage.decision("accept-and-refuse-at-once")["outcome"], stage.recording("accept-and-refuse-at-once")
    # On a host so busy that the note takes longer than the time between them, the second one still counts, and nothing is kept.
    assert row is not None
    assert (outcome, row["state"]) in {("granted", "sealed"), ("refused", "not_started")}
    assert stage.decision("refuse-and-accept-at-once")["outcome"] == "refused"
    assert stage.recording("refuse-and-accept-at-once") is None


def test_con_05_who_refuses_comes_to_the_same_queue_and_the_same_agent_as_who_agrees(stage: Stage) -> None:
    assert (stage.result("queue"), stage.result("queue-refused")) == ("recorded", "unrecorded")
    assert [stage.result(name, "queued") for name in ("queue", "queue-refused")] == ["PJSIP/agent"] * 2


def test_con_07_withdrawal_works_in_a_queue_as_in_a_dialled_call(stage: Stage) -> None:
    kept, withdrawn = stage.recording("queue"), stage.recording("queue-withdrawal")
    assert kept is not None
    assert withdrawn is not None
    assert (kept["state"], withdrawn["state"]) == ("sealed", "erased")
    assert stage.decision("queue-withdrawal")["withdrawn_at"] is not None


def test_con_09_a_call_that_is_asked_again_keeps_the_first_recording_and_obeys_the_second_answer(stage: Stage) -> None:
    assert stage.result("asked-again") == "recorded"
    assert stage.result("asked-again", "again") == "unrecorded"
    decisions = [
        row
        for row in stage.installation.json("decisions", "list")
        if row["uniqueid"] == stage.result("asked-again", "call")
    ]
    assert sorted(str(row["outcome"]) for row in decisions) == ["granted", "refused"]


def test_the_sites_own_features_and_hangup_handlers_are_kept(stage: Stage) -> None:
    assert stage.result("own-features", "features") == "sitefeature#gdprnext#gdprjoin#gdprstop"
    assert stage.result("own-features", "siteend") == "yes"


def test_the_sites_own_absolute_timeout_goes_on_with_what_is_left_of_it(stage: Stage) -> None:
    left = float(str(stage.result("own-timeout", "left")))
    # The dialplan counts in whole seconds.
    assert 20 < left <= 41 - prompt_lengths(stage.installation).total
    assert float(str(stage.result("refuse", "left"))) == 0


def test_the_sites_own_absolute_timeout_still_ends_its_call(stage: Stage) -> None:
    assert stage.result("own-timeout-ends-the-call", "sitelimit") == "yes"
    row = stage.recording("own-timeout-ends-the-call")
    assert row is not None
    assert row["state"] == "sealed"


def test_bas_10_a_line_that_is_not_configured_is_not_recorded(stage: Stage) -> None:
    assert stage.result("unknown-line") == "unrecorded"
    assert stage.result("unknown-line-must") == "route"


def test_pty_04_a_party_that_nobody_asked_ends_the_recording(stage: Stage) -> None:
    row = stage.recording("third-party")
    assert row is not None
    assert row["state"] == "sealed"
    assert float(str(row["seconds"])) < 6
    stops = [line for line in stage.installation.log("recording_stopped") if line["recording"] == row["id"]]
    assert [line["reason"] for line in stops] == ["party_joined"]


def test_the_vault_is_whole_after_all_that(stage: Stage) -> None:
    assert "everything is as it was written" in stage.installation.cli("audit", "verify").stdout


def test_one_canonical_line_is_logged_for_each_asked_call(stage: Stage) -> None:
    lines = stage.installation.log("call_finished")
    assert len(lines) == len(stage.installation.json("decisions", "list"))


LEAKS = re.compile(rb"\+?4670174\d{4}|0701740\d{3}")


def leaks(folder: Path, needles: list[bytes]) -> list[str]:
    """Return the files below a folder that hold a caller's number or a needle, in name or content."""
    found = []
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if LEAKS.search(path.name.encode()) or LEAKS.search(data) or any(needle in data for needle in needles):
            found.append(str(path.relative_to(folder)))
    return found


def test_sec_05_no_number_secret_or_speech_is_left_anywhere(stage: Stage) -> None:
    application, asterisk = stage.installation.folder, stage.asterisk.folder
    row = stage.recording("accept")
    assert row is not None
    speech = stage.installation.opened(str(row["id"])).read_bytes()[8044:8108]
    secrets = [stage.asterisk.ari_password.encode(), stage.asterisk.ami_password.encode(), b"AGE-SECRET-KEY-"]
    for folder in (application / "vault", asterisk / "log", stage.asterisk.spool):
        planted = folder / "planted"
        planted.write_bytes(b"call from " + stage.numbers["accept"].encode() + speech)
        assert leaks(folder, [speech]) == ["planted"], "the search must find what is there"
        planted.unlink()
        assert leaks(folder, [speech, *secrets]) == []
    log = stage.installation.log_path.read_bytes()
    assert not LEAKS.search(log)
    assert not any(secret in log for secret in secrets)
    assert not any(LEAKS.search(line.encode()) for line in stage.processes)
    assert any("gdprcall" in line for line in stage.processes), "the processes were looked at while the daemon ran"


def test_sec_05_no_pressed_key_is_in_the_log_or_the_ledger(stage: Stage) -> None:
    lines = (
        stage.installation.log_path.read_text()
        + stage.installation.cli("audit", "log", "--json", "--limit", "10000").stdout
    )
    assert not re.search(r'"(digit|digits|key|keys)":', lines)
