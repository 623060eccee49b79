"""Who can open recordings: proofs of possession, changes in the ledger, and headers that travel out and back."""

import base64
import json
import random
import subprocess
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pytest

from gdprcall import age, config, operations
from gdprcall.custody import bundle, challenge, exchange, officer, recipients
from gdprcall.custody.challenge import Purpose
from gdprcall.errors import CheckFailed, ConfigError, GdprcallError, NotFound, Refused
from gdprcall.operations import Context
from gdprcall.times import DAY_MS
from gdprcall.vault import backup, holders, restore
from gdprcall.vault.archive import Vault
from gdprcall.vault.keys import Slot, fingerprint
from gdprcall.vault.ledger import Kind
from gdprcall.vault.verifying import Verification, Wanted
from tests import vaults
from tests.vaults import ACME, Clock, Controller

NEW, BETA = Controller("acme", seed=77), Controller("beta", seed=2)
A, B = vaults.recording_id(1), vaults.recording_id(2)
SOUND = vaults.wav(seed=101)
TOOL = Path(__file__).parent.parent / ".pbx" / "bin" / "age"
CONFIG = """
[vault]
folder = "{folder}/vault"
[controllers.acme]
name = "Acme"
contact = "privacy@acme.example"
country = "SE"
notice_url = "acme.example"
recipients = {recipients}
"""


class Desk:
    """A vault with a configuration, and officers who answer; asked as the command line asks."""

    def __init__(self, folder: Path, people: tuple[str, ...] = ACME.recipients) -> None:
        self.folder, self.clock = folder, Clock()
        self.path = folder / "gdprcall.toml"
        self.vault = Vault.open(folder / "vault", clock=self.clock)
        self.configure(people)

    def configure(self, people: tuple[str, ...]) -> None:
        self.path.write_text(CONFIG.format(folder=self.folder, recipients=json.dumps(list(people))))
        self.config = config.load(self.path)

    def ask(self, name: str, **params: object) -> dict[str, object]:
        context = Context(self.vault, self.config, actor="uid:7", clock=self.clock)
        answer = json.loads(json.dumps(operations.run(context, name, params)))
        assert isinstance(answer, dict)
        return answer

    def listed(self) -> list[dict[str, object]]:
        context = Context(self.vault, self.config, clock=self.clock)
        return json.loads(json.dumps(operations.run(context, "keys/list", {})))  # type: ignore[no-any-return]  # JSON

    def challenge(self, recipient: str, purpose: str = "enrol") -> str:
        made = self.ask("keys/challenge", controller="acme", recipient=recipient, purpose=purpose)
        return str(made["challenge"])

    def answer(self, text: str, purpose: str = "enrol", **more: object) -> dict[str, object]:
        return self.ask("keys/answer", controller="acme", purpose=purpose, answer=text, **more)

    def enrol(self, who: Controller = ACME, purpose: str = "enrol") -> None:
        for place, recipient in enumerate(who.recipients):
            text = self.challenge(recipient, purpose)
            self.answer(officer.answer(BytesIO(text.encode()), [who.identities[place]]).text, purpose)

    def kinds(self) -> list[str]:
        return [str(entry.kind) for entry in self.vault.ledger.entries()]

    def export(self, **more: object) -> bytes:
        """Return a bundle as the command writes it."""
        begun = self.ask("keys/export", controller="acme", **more)
        head = begun["head"]
        assert isinstance(head, dict)
        out, after, lines = [bundle.encode(head)], None, 0
        while True:
            page = self.ask("keys/headers", controller="acme", bundle=head["bundle"], after=after)
            assert isinstance(page["lines"], list)
            out += [bundle.encode(line) for line in page["lines"]]
            lines, after = lines + len(page["lines"]), page["after"]
            if after is None:
                return b"".join([*out, bundle.encode({"headers": lines})])

    def take(self, data: bytes, **more: object) -> dict[str, object]:
        head, lines = bundle.read(BytesIO(data))
        return self.ask("keys/take", head=head, lines=list(lines), **more)

    def close(self) -> None:
        self.vault.close()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def converted(
    data: bytes, identity: officer.Identity = ACME.identities[0], to: tuple[str, ...] = NEW.recipients
) -> bytes:
    out = BytesIO()
    assert officer.convert(BytesIO(data), out, [identity], to).refused == []
    return out.getvalue()


def rewritten(data: bytes, number: int, **changes: object) -> bytes:
    """Change what a line of a bundle says."""
    lines = data.splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | changes).encode()
    return b"\n".join(lines) + b"\n"


# Proofs


def test_who_holds_the_identity_enrols_and_answers_a_canary(desk: Desk) -> None:
    assert [(row["role"], row["enrolled_at"]) for row in desk.listed()] == [("operational", None), ("escrow", None)]
    desk.enrol()
    assert all(row["enrolled_at"] == row["canary_at"] == "2026-01-01T00:00:00.000Z" for row in desk.listed())
    desk.clock.now += DAY_MS
    desk.enrol(purpose="canary")
    (first, _) = desk.listed()
    assert (first["enrolled_at"], first["canary_at"]) == ("2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z")
    assert desk.kinds().count("recipient_enrolled") == desk.kinds().count("canary_answered") == 2
    assert list(desk.vault.verify()) == []
    desk.close()


def test_of_an_answer_the_pbx_keeps_only_a_hash(tmp_path: Path, desk: Desk) -> None:
    text = desk.challenge(ACME.recipients[0])
    nonce = ACME.opens(text.encode()).decode().split()[-1]
    desk.close()
    assert vaults.files_with(tmp_path, nonce.encode(), bytes.fromhex(nonce)) == []


@pytest.mark.pbx
def test_the_public_age_tool_answers_as_well(tmp_path: Path, desk: Desk) -> None:
    (tmp_path / "challenge").write_text(desk.challenge(ACME.recipients[1]))
    (tmp_path / "identity").write_text(ACME.identities[1].encode() + "\n")
    command = [TOOL, "-d", "-i", tmp_path / "identity", tmp_path / "challenge"]
    answer = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert desk.answer(answer)["fingerprint"] == fingerprint(ACME.recipients[1])
    desk.close()


def test_a_post_quantum_recipient_enrols(desk: Desk) -> None:
    identity = age.HybridIdentity.generate(random.Random(1).randbytes)
    text = desk.challenge(identity.recipient().encode())
    assert desk.answer(officer.answer(BytesIO(text.encode()), [identity]).text)["purpose"] == "enrol"
    desk.close()


def test_sec_03_an_answer_counts_once_for_what_it_was_asked_and_in_its_time(desk: Desk) -> None:
    text = ACME.opens(desk.challenge(ACME.recipients[0]).encode()).decode()
    for params in ({"purpose": "canary"}, {"recipient": ACME.recipients[1]}):
        with pytest.raises(CheckFailed, match="no open challenge"):
            desk.answer(text, **params)  # type: ignore[arg-type]  # a mistake on purpose
    invented = text[:-65] + "0" * 64
    with pytest.raises(CheckFailed, match="no open challenge"):
        desk.answer(invented)
    assert desk.answer(text, recipient=ACME.recipients[0])["fingerprint"] == fingerprint(ACME.recipients[0])
    with pytest.raises(CheckFailed, match="no open challenge"):
        desk.answer(text)
    late = ACME.opens(desk.challenge(ACME.recipients[0]).encode()).decode()
    desk.clock.now += recipients.CHALLENGE_DAYS * DAY_MS
    with pytest.raises(CheckFailed, match="expired"):
        desk.answer(late)
    assert desk.kinds().count("recipient_enrolled") == 1
    desk.close()


@pytest.mark.parametrize("text", ["", "x", "gdprcall/proof-v1 enrol acme 00", "a" * 100_000, "\0\n\x1b[2J"])
def test_what_is_no_answer_is_refused_and_not_repeated(desk: Desk, text: str) -> None:
    with pytest.raises((CheckFailed, ConfigError)) as caught:
        desk.answer(text)
    assert not text or text not in caught.value.message
    desk.close()


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"controller": "beta"}, NotFound),
        ({"recipient": "age1nonsense"}, ConfigError),
        ({"recipient": NEW.recipients[0], "purpose": "canary"}, NotFound),
        ({"purpose": "else"}, ConfigError),
        ({"recipient": 7}, ConfigError),
    ],
)
def test_nobody_is_challenged_who_cannot_be(desk: Desk, params: Mapping[str, object], error: type[Exception]) -> None:
    given = {"controller": "acme", "recipient": ACME.recipients[0], "purpose": "enrol"} | dict(params)
    with pytest.raises(error):
        desk.ask("keys/challenge", **given)
    assert desk.kinds() == []
    desk.close()


def test_sec_03_an_officer_opens_nothing_but_challenges(desk: Desk) -> None:
    vaults.sealed(desk.vault, desk.folder / "spool")
    for data in (vaults.whole(desk.vault, A), desk.vault.sealed_number(A), _sealed(b"gdprcall/proof-v1 secret")):
        assert data is not None
        with pytest.raises(CheckFailed) as caught:
            officer.answer(BytesIO(data), [ACME.identities[0]])
        assert "secret" not in caught.value.message
    text = desk.challenge(ACME.recipients[0])
    with pytest.raises(Refused):
        officer.answer(BytesIO(text.encode()), [ACME.identities[1]])
    with pytest.raises(CheckFailed):
        officer.answer(BytesIO(text.encode()[:200]), [ACME.identities[0]])
    named, _ = challenge.make(Purpose.ENROL, "acme", ACME.recipients[1], random.Random(1).randbytes)
    other = _sealed(ACME.opens(named.encode(), 1))
    with pytest.raises(CheckFailed, match="another recipient"):
        officer.answer(BytesIO(other), [ACME.identities[0]])
    desk.close()


def _sealed(text: bytes) -> bytes:
    out = BytesIO()
    age.encrypt(BytesIO(text), [age.parse_recipient(ACME.recipients[0])], out)
    return out.getvalue()


# Changes


def test_sec_03_a_recipient_that_was_added_silently_is_in_the_ledger_with_its_name(desk: Desk) -> None:
    assert recipients.note_changes(desk.vault, desk.config.policy) == ["acme"]
    assert recipients.note_changes(desk.vault, desk.config.policy) == []
    desk.configure((*ACME.recipients, NEW.recipients[0]))
    assert recipients.note_changes(desk.vault, desk.config.policy) == ["acme"]
    first, second = [e.body or {} for e in desk.vault.ledger.entries() if e.kind is Kind.RECIPIENTS_CHANGED]
    names = [fingerprint(one) for one in ACME.recipients]
    assert (first["added"], first["removed"], first["fingerprints"]) == (names, [], names)
    assert second == {
        "recipients": [*ACME.recipients, NEW.recipients[0]],
        "fingerprints": [*names, fingerprint(NEW.recipients[0])],
        "added": [fingerprint(NEW.recipients[0])],
        "removed": [],
    }
    desk.close()


def test_another_order_and_a_controller_that_is_gone_are_changes_too(desk: Desk) -> None:
    recipients.note_changes(desk.vault, desk.config.policy)
    desk.configure(tuple(reversed(ACME.recipients)))
    assert recipients.note_changes(desk.vault, desk.config.policy) == ["acme"]
    assert [row["role"] for row in desk.listed()] == ["operational", "escrow"]
    gone = config.load(_written(desk.folder / "none.toml", f'[vault]\nfolder = "{desk.folder}/vault"\n'))
    assert recipients.note_changes(desk.vault, gone.policy) == ["acme"]
    assert recipients.note_changes(desk.vault, gone.policy) == []
    assert (list(desk.vault.ledger.entries())[-1].body or {})["recipients"] == []
    desk.close()


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_who_enrolled_is_still_known_when_the_index_is_made_anew(desk: Desk) -> None:
    recipients.note_changes(desk.vault, desk.config.policy)
    desk.enrol()
    before = desk.vault.index.recipients()
    desk.close()
    for path in (desk.folder / "vault").glob("index.db*"):
        path.unlink()
    with Vault.open(desk.folder / "vault") as vault:
        assert vault.index.recipients() == before
        assert {one.place for one in before} == {0, 1}


def test_what_is_known_of_recipients_can_be_read_beside_an_open_vault_and_leaves_no_file(desk: Desk) -> None:
    assert holders.read(desk.folder / "nothing") == []
    desk.enrol()
    known = holders.read(desk.folder / "vault")
    assert {one.recipient for one in known if one.enrolled_at is not None} == set(ACME.recipients)
    desk.close()
    files = sorted((desk.folder / "vault").iterdir())
    assert holders.read(desk.folder / "vault") == known
    assert sorted((desk.folder / "vault").iterdir()) == files


# Rotation


def test_only_enrolled_recipients_are_rotated_to_and_the_ledger_knows(desk: Desk) -> None:
    def rotate(*to: str, dry_run: bool = False) -> dict[str, object]:
        return desk.ask("keys/rotate", controller="acme", recipients=list(to), dry_run=dry_run)

    with pytest.raises(Refused, match="nobody has shown"):
        rotate(*NEW.recipients)
    desk.enrol(NEW)
    entries = desk.vault.ledger.size()
    assert rotate(*NEW.recipients, dry_run=True)["to"] == [fingerprint(one) for one in NEW.recipients]
    assert desk.vault.ledger.size() == entries
    rotate(*NEW.recipients)
    entry = list(desk.vault.ledger.entries())[-1]
    assert (entry.kind, (entry.body or {})["recipients"]) == (Kind.ROTATION_INTENDED, list(NEW.recipients))
    hybrid = age.HybridIdentity.generate(random.Random(1).randbytes).recipient().encode()
    for wrong in ([NEW.recipients[0], hybrid], [NEW.recipients[0]] * 2, ["age1x"], []):
        with pytest.raises(ConfigError):
            rotate(*wrong)
    with pytest.raises(Refused, match="already"):
        rotate(*ACME.recipients)
    desk.close()


# Rewrap


@pytest.fixture
def rotated(desk: Desk) -> Desk:
    """Two recordings for the old recipients, and a configuration with new ones that are enrolled."""
    recipients.note_changes(desk.vault, desk.config.policy)
    vaults.sealed(desk.vault, desk.folder / "spool", 1)
    vaults.sealed(desk.vault, desk.folder / "spool", 2, segments=2)
    desk.enrol(NEW)
    desk.configure(NEW.recipients)
    return desk


@pytest.mark.pbx
def test_a_lost_operational_identity_is_survived_with_the_escrow_one(rotated: Desk, tmp_path: Path) -> None:
    desk = rotated
    escrow = ACME.identities[1]  # identities[0] is thrown away: nothing below uses it
    payload = desk.vault.objects.path(A, 1)
    before, old = payload.read_bytes(), desk.vault.keys.get(A, 1, Slot.HEADER)
    assert old is not None
    assert desk.take(converted(desk.export(), escrow))["taken"] == 5
    assert payload.read_bytes() == before
    for name, identity in (("new", NEW.identities[0]), ("escrow", escrow)):
        (tmp_path / name).write_text(identity.encode() + "\n")
    (tmp_path / "export.age").write_bytes(vaults.whole(desk.vault, A))

    def opened(identity: str) -> subprocess.CompletedProcess[bytes]:
        command = [TOOL, "-d", "-i", tmp_path / identity, tmp_path / "export.age"]
        return subprocess.run(command, capture_output=True, check=False)

    assert opened("new").stdout == SOUND
    assert (opened("escrow").returncode != 0, opened("escrow").stdout) == (True, b"")
    number = desk.vault.sealed_number(A)
    assert number is not None
    assert NEW.opens(number) == vaults.NUMBER.encode()
    assert list(desk.vault.verify()) == []
    desk.close()


def test_everything_verifies_after_enrolment_rotation_and_rewrap(rotated: Desk) -> None:
    desk = rotated
    recipients.note_changes(desk.vault, desk.config.policy)
    desk.take(converted(desk.export()))
    desk.enrol(NEW, "canary")
    look = Verification(desk.vault.stores, desk.vault.folder)
    look.begin(Wanted())
    state = look.go_on(60)
    assert (state.finished, state.findings) == (True, [])
    assert list(desk.vault.verify()) == []
    desk.close()


def test_what_is_for_the_configured_recipients_already_stays_at_home_unless_all_is_asked_for(rotated: Desk) -> None:
    desk = rotated
    desk.take(converted(desk.export()))
    assert len(desk.export().splitlines()) == 2
    assert len(desk.export(all=True).splitlines()) == 7
    desk.close()


def test_a_bundle_holds_headers_of_its_controller_alone_and_no_payload(rotated: Desk) -> None:
    desk = rotated
    vaults.sealed(desk.vault, desk.folder / "spool", 3, controller=BETA)
    data = desk.export()
    assert vaults.recording_id(3).encode() not in data
    lines = [json.loads(line) for line in data.splitlines()[1:-1]]
    assert sorted((line["recording"], line["segment"], line["slot"]) for line in lines) == sorted(
        [(A, 0, "number"), (A, 1, "header"), (B, 0, "number"), (B, 1, "header"), (B, 2, "header")]
    )
    for line in lines:
        assert base64.b64decode(line["header"]).endswith(b"\n"), "a header ends with its MAC, and nothing follows"
    desk.close()


def test_ret_05_receipts_say_until_when_a_bundle_may_exist(rotated: Desk) -> None:
    desk = rotated
    desk.export()
    receipt = desk.vault.erase(A, reason="x", actor="x")
    assert receipt.steps[-1].seen == "backups of keys made before this may exist until 2026-01-15T00:00:00.000Z"
    desk.close()


def test_ret_05_an_old_bundle_resurrects_nothing(rotated: Desk) -> None:
    desk = rotated
    data = converted(desk.export())
    desk.vault.erase(A, reason="request", actor="officer")
    done = desk.take(data)
    assert (done["taken"], len(list(done["refused"]))) == (3, 2)  # type: ignore[call-overload]  # JSON of our own
    assert desk.vault.recording(A).state == "erased"
    assert {name for name, _ in desk.vault.keys.names(Slot.HEADER)} == {B}
    desk.clock.now += 15 * DAY_MS
    with pytest.raises(Refused, match="expired"):
        desk.take(data)
    desk.close()


def test_only_the_last_export_counts(rotated: Desk) -> None:
    desk = rotated
    first, second = desk.export(), desk.export()
    with pytest.raises(NotFound, match="not the last export"):
        desk.take(converted(first))
    assert desk.take(converted(second))["taken"] == 5
    desk.close()


def test_nothing_leaves_for_recipients_that_nobody_proved_to_hold(desk: Desk) -> None:
    vaults.sealed(desk.vault, desk.folder / "spool", 1)
    with pytest.raises(Refused, match="nobody has shown"):
        desk.export()
    assert "rewrap_exported" not in desk.kinds()
    desk.close()


def test_sec_03_what_was_changed_on_its_way_is_refused(rotated: Desk) -> None:
    desk = rotated
    data = converted(desk.export())
    good = json.loads(data.splitlines()[2])
    for number, changes, error in [
        (0, {"to": list(ACME.recipients)}, CheckFailed),
        (0, {"controller": "beta"}, NotFound),
        (0, {"controller": "../x"}, NotFound),
        (0, {"bundle": "0" * 32}, NotFound),
        (0, {"format": "gdprcall/rewrap-v1"}, CheckFailed),
        (0, {"mac": None}, CheckFailed),
        (1, {"slot": "else"}, CheckFailed),
        (1, {"segment": True}, CheckFailed),
        (1, {"header": "%"}, CheckFailed),
    ]:
        with pytest.raises(error):
            desk.take(rewritten(data, number, **changes))
    for changes in ({"header": good["header"]}, {"was": "0" * 64}, {"mac": ""}, {"mac": good["mac"]}, {"mac": "ü"}):
        done = desk.take(rewritten(data, 1, **changes), dry_run=True)
        (refused,) = list(done["refused"])  # type: ignore[call-overload]  # JSON of our own
        assert (done["taken"], refused["problem"]) == (4, "the line was changed on its way")
    assert desk.take(data)["taken"] == 5
    desk.close()


def test_sec_03_who_holds_no_identity_cannot_make_a_bundle_that_destroys_anything(rotated: Desk) -> None:
    desk = rotated
    data = desk.export()
    stranger = Controller("acme", seed=99)
    with pytest.raises(Refused, match="never was one"):
        officer.convert(BytesIO(data), BytesIO(), [stranger.identities[0]], NEW.recipients)
    desk.close()


def test_sec_03_an_officer_is_not_led_to_other_recipients_by_the_pbx(rotated: Desk) -> None:
    desk = rotated
    out = BytesIO()
    for to in (ACME.recipients, NEW.recipients[:1], tuple(reversed(NEW.recipients))):
        with pytest.raises(Refused, match="other recipients"):
            officer.convert(BytesIO(desk.export()), out, [ACME.identities[0]], to)
    with pytest.raises(ConfigError):
        officer.convert(BytesIO(desk.export()), out, [ACME.identities[0]], ("age1x",))
    assert out.getvalue() == b""
    desk.close()


def test_sec_03_an_officer_wraps_no_key_but_that_of_the_recording_it_is_said_to_be(rotated: Desk) -> None:
    desk = rotated
    data = desk.export()
    lines = [json.loads(line) for line in data.splitlines()]
    foreign = BytesIO()
    age.encrypt(BytesIO(b"a letter"), [age.parse_recipient(ACME.recipients[0])], foreign)
    header = age.read_header(BytesIO(foreign.getvalue()))
    other = age.make_header(bytes(16), [age.parse_recipient(BETA.recipients[0])])
    data = rewritten(data, 1, header=base64.b64encode(header).decode())
    data = rewritten(data, 2, header=lines[3]["header"])
    data = rewritten(data, 4, header=base64.b64encode(other).decode())
    data = rewritten(data, 5, header="AAAA")
    out = BytesIO()
    done = officer.convert(BytesIO(data), out, [ACME.identities[0]], NEW.recipients)
    problems = [problem for _, problem in done.refused]
    assert problems[:3] == ["it is bound to something else"] * 2 + ["this identity does not open it"]
    assert "damaged" in problems[3]
    assert (done.headers, desk.take(out.getvalue())["taken"]) == (1, 1)
    desk.close()


@pytest.mark.parametrize("cut", [1, 2, 10])
def test_a_bundle_that_is_not_whole_is_named(rotated: Desk, cut: int) -> None:
    desk = rotated
    for data in (desk.export(), converted(desk.export())):
        short = b"\n".join(data.splitlines()[:-cut])
        with pytest.raises(CheckFailed, match=r"not whole|no bundle|damaged|not an export"):
            list(bundle.read(BytesIO(short))[1])
        with pytest.raises(CheckFailed):
            list(bundle.read(BytesIO(data[:-3]))[1])
    with pytest.raises(CheckFailed):
        list(bundle.read(BytesIO(b'{"a":"' + b"x" * bundle.LONGEST_HEAD + b'"}\n'))[1])
    desk.close()


def test_many_headers_are_wrapped_by_all_processors(rotated: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = rotated
    monkeypatch.setattr(officer, "APART", 2)
    monkeypatch.setattr(officer, "AT_ONCE", 2)
    told: list[int] = []
    out = BytesIO()
    done = officer.convert(
        BytesIO(desk.export()), out, [ACME.identities[0]], NEW.recipients, lambda one, _all: told.append(one)
    )
    assert (done.headers, told) == (5, [1, 2, 3, 4, 5])
    assert desk.take(out.getvalue())["taken"] == 5
    desk.close()


def test_the_configuration_that_changed_since_the_export_is_not_taken_for(rotated: Desk) -> None:
    desk = rotated
    data = converted(desk.export())
    desk.configure(NEW.recipients[:1])
    with pytest.raises(Refused, match="are others than when"):
        desk.take(data)
    desk.close()


def test_an_export_that_is_killed_between_its_notes_only_has_to_be_made_again(rotated: Desk) -> None:
    desk = rotated
    first = desk.export()
    kept = json.loads((desk.vault.folder / exchange.FOLDER / "acme.json").read_text())
    assert (desk.vault.folder / exchange.FOLDER / "acme.json").stat().st_mode & 0o777 == 0o600
    assert kept["bundle"] == json.loads(first.splitlines()[0])["bundle"]
    (desk.vault.folder / exchange.FOLDER / "acme.json").write_text("{")
    with pytest.raises(NotFound):
        desk.take(converted(first))
    assert desk.take(converted(desk.export()))["taken"] == 5
    desk.close()


@pytest.mark.parametrize("after", [7, [9, 0], [0, "0"], [0, -1], [0, 1 << 70], "x", [0]])
def test_a_place_that_is_none_is_refused(rotated: Desk, after: object) -> None:
    head = json.loads(rotated.export().splitlines()[0])
    with pytest.raises(GdprcallError):
        rotated.ask("keys/headers", controller="acme", bundle=head["bundle"], after=after)
    rotated.close()


# Backups of keys


def opened_keys(desk: Desk, made: backup.Made, who: Controller, which: int = 1) -> BytesIO:
    path = desk.folder / "backups" / "keys" / made.manifest.keys[0].name
    return BytesIO(who.opens(path.read_bytes(), which))


def test_ret_05_a_backup_of_keys_from_before_a_rewrap_brings_no_old_header_back(rotated: Desk) -> None:
    desk = rotated
    wanted = backup.Wanted(desk.folder / "backups", {"acme": ACME.recipients[1:]}, 7)
    before = opened_keys(desk, backup.backup(desk.vault, wanted), ACME)
    desk.take(converted(desk.export()))
    desk.clock.now += 1000
    after = opened_keys(desk, backup.backup(desk.vault, wanted), ACME)
    desk.vault.keys.destroy(A)
    desk.vault.keys.destroy(B)
    assert restore.restore_keys(desk.vault, before)["passed_over"] == 5
    assert desk.vault.keys.names(Slot.HEADER) == desk.vault.keys.names(Slot.NUMBER) == []
    assert restore.restore_keys(desk.vault, after)["restored"] == 5
    assert NEW.opens(vaults.whole(desk.vault, A)) == SOUND
    assert list(desk.vault.verify()) == []
    desk.close()
