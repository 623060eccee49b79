"""Configurations that nobody would write: read or refused in words, never a traceback."""

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gdprcall import config, schema
from gdprcall.errors import ConfigError
from gdprcall.policy import rules
from gdprcall.policy.explain import explain
from tests.test_unlawful import FILES

SEEDS = [path.read_bytes() for path in FILES]
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = st.sampled_from(
    [
        *("consent", "contract", "legal_obligation", "vital_interest", "public_task", "legitimate_interest", "acme"),
        *("quality", "documentation", "emergency", "route", "hang_up", "outbound", "EU", "DE", "FR", "GB", "a", "1"),
        *("", " ", "\n", "\u202e", "*9", "MIFID", "en", "x" * 600, "2026-01-31", "é", "\\", '"', "{}", "%s"),
    ]
)
VALUES = st.recursive(
    st.one_of(
        WORDS.map(json.dumps),
        st.integers(-3, 5000).map(str),
        st.sampled_from(
            ["true", "false", "inf", "-inf", "nan", "0.5", "1e400", "2026-01-31", "07:32:00", "2026-01-31T00:00:00Z"]
        ),
        st.text(max_size=12).map(lambda text: json.dumps(text).replace("\x7f", "")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: f"[{', '.join(values)}]"),
        st.dictionaries(
            st.sampled_from(["basis", "notice", "id", "date", "sha256", "countries"]), inner, max_size=3
        ).map(lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"),
    ),
    max_leaves=4,
)
LINE_KEYS = st.dictionaries(st.sampled_from([*schema.Line.model_fields]), VALUES, max_size=5)
CONTROLLER_KEYS = st.dictionaries(st.sampled_from([*schema.Controller.model_fields]), VALUES, max_size=3)
CONTROLLER = {
    "name": '"Acme"',
    "contact": '"c"',
    "country": '"AT"',
    "notice_url": '"n"',
    "recipients": f'["{RECIPIENT}"]',
}
LINE = {"controller": '"acme"', "purpose": '"quality"', "basis": '"consent"', "languages": '["en"]'}


def survives(path: Path, data: bytes) -> None:
    """Load and explain, or be refused in words."""
    path.write_bytes(data)
    try:
        loaded = config.load(path)
    except ConfigError as refused:
        said = (refused.message, refused.hint)
    else:
        lines = loaded.policy.lines.values()
        said = ("read", *(explain(loaded.policy, line, rules.OPTIONS).summary for line in lines))
    assert all(said)


@QUICK
@given(seed=st.sampled_from(SEEDS), cuts=st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=4)), max_size=4))
def test_a_file_that_was_cut_and_glued_is_read_or_refused(
    tmp_path: Path, seed: bytes, cuts: list[tuple[int, bytes]]
) -> None:
    data = seed
    for at, glue in cuts:
        data = data[: at % (len(data) + 1)] + glue + data[(at + len(glue)) % (len(data) + 1) :]
    survives(tmp_path / "gdprcall.toml", data)


@QUICK
@given(line=LINE_KEYS, controller=CONTROLLER_KEYS)
def test_any_value_at_any_key_is_read_or_refused(
    tmp_path: Path, line: dict[str, str], controller: dict[str, str]
) -> None:
    text = "[controllers.acme]\n" + "".join(f"{key} = {value}\n" for key, value in (CONTROLLER | controller).items())
    text += "[lines.support]\n" + "".join(f"{key} = {value}\n" for key, value in (LINE | line).items())
    survives(tmp_path / "gdprcall.toml", text.encode("utf-8", "surrogatepass"))


@QUICK
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    survives(tmp_path / "gdprcall.toml", data)
