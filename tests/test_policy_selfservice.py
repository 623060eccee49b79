"""What a controller may offer by telephone: nothing without a word, and no erasure on a number."""

from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall import config
from gdprcall.age import X25519Identity
from gdprcall.mistakes import Mistaken
from gdprcall.policy import rules
from gdprcall.policy.finding import ARTICLES
from gdprcall.policy.model import Policy, canonical
from gdprcall.policy.selfservice import Proof, SelfService
from gdprcall.prompts.texts import LANGUAGES, PURPOSES
from tests.policies import ACME, SUPPORT
from tests.test_policy_controllers import TEXT

SERVICE = """
[controllers.acme.self_service]
languages = ["en", "fi"]
"""


def written(folder: Path, text: str) -> Path:
    for place in range(9):
        recipient = X25519Identity.generate(lambda n, place=place: bytes([place + 1]) * n).recipient().encode()  # type: ignore[misc]
        text = text.replace(f"RECIPIENT{place}", recipient)
    path = folder / "gdprcall.toml"
    path.write_text(text)
    return path


def refused(service: SelfService) -> list[tuple[str, str]]:
    policy = Policy({"acme": ACME}, {"support": SUPPORT}, self_service={"acme": service})
    found = [finding for finding in rules.check(policy, LANGUAGES, PURPOSES) if finding.refuses]
    return [(finding.rule, finding.place) for finding in found]


def test_sec_08_without_a_word_nothing_is_offered(tmp_path: Path) -> None:
    assert config.load(written(tmp_path, TEXT)).policy.self_service == {}


def test_sec_08_with_a_word_every_wish_is_entered_and_none_carried_out(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path, TEXT + SERVICE))
    offered = loaded.policy.self_service
    assert offered == {"acme": SelfService(("en", "fi"), erasure=Proof.REQUEST, never_record=Proof.REQUEST)}
    warned = [finding.text for finding in loaded.warnings if finding.place == "controllers.acme.self_service.languages"]
    assert warned == ["there are no sentences for it in 'fi': callers are not served in it"]


@pytest.mark.parametrize("never", Proof)
@pytest.mark.parametrize("erasure", Proof)
def test_rgt_03_erasure_on_a_number_alone_is_refused_and_nothing_else_is(erasure: Proof, never: Proof) -> None:
    expected = [("RGT-03", "controllers.acme.self_service.erasure")] if erasure is Proof.NUMBER else []
    assert refused(SelfService(("en",), erasure, never)) == expected
    assert ARTICLES["RGT-03"] == "Art. 11, 12(6)"


def test_inf_03_a_language_that_is_none_is_refused() -> None:
    assert refused(SelfService(("en", "tlh"))) == [("INF-03", "controllers.acme.self_service.languages")]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('erasure = "yes"', "controllers.acme.self_service.erasure"),
        ("languages = []", "controllers.acme.self_service.languages"),
        ('neverrecord = "code"', "controllers.acme.self_service.neverrecord"),
    ],
)
def test_what_is_written_wrongly_is_named_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    service = SERVICE if not text.startswith("languages") else "\n[controllers.acme.self_service]"
    with pytest.raises(Mistaken) as caught:
        config.load(written(tmp_path, f"{TEXT}{service}\n{text}\n"))
    (finding,) = caught.value.findings
    assert finding.place == place
    assert finding.text != "unknown key" or finding.mend == "did you mean never_record?"


def test_what_is_offered_changes_no_terms_that_a_decision_names() -> None:
    policy = Policy({"acme": ACME}, {"support": SUPPORT})
    offering = replace(policy, self_service={"acme": SelfService(("en",))})
    assert policy.sha256(SUPPORT) == offering.sha256(SUPPORT)
    assert "self_service" not in canonical(ACME, SUPPORT)
