"""What can be asked when something that is known of a recording is wrong (Art. 16): to correct it, and to attach a statement.

The sound is never edited. What was known before stays in the history of the recording for as long as that is there.
"""

from gdprcall import persons, scope
from gdprcall.context import Context, Json, Operation
from gdprcall.errors import ConfigError, Refused
from gdprcall.parameters import Params, text
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.rows import RecordingRow
from gdprcall.vault.subjects import e164

LANGUAGE, NUMBER = "language", "number"
LETTERS = 20_000
"""How long a statement may be: what the law calls supplementary (Art. 16), and no file."""


def correct(context: Context, params: Params) -> Json:
    """Correct the language that was spoken, or the number of who called; return the recording as it stands then."""
    row, field, value, reason = _row(context, params), *(text(params, name) for name in ("field", "value", "reason"))
    match field:
        case "language":
            _correct_language(context, row, value, reason)
        case "number":
            _correct_number(context, row, value, reason)
        case _:
            raise ConfigError(f"{field!r} is not corrected here", f"fields: {LANGUAGE}, {NUMBER}")
    return context.vault.recording(row.id).as_json()


def statement(context: Context, params: Params) -> Json:
    """Attach what the person says of a recording; return how many statements it has."""
    row, said = _row(context, params), text(params, "text")
    if len(said) > LETTERS:
        raise ConfigError(f"the statement has {len(said)} letters", f"{LETTERS} at most")
    body = {"text": said, "request": str(params.get("request") or ""), "actor": context.actor}
    context.vault.note(Fact(Kind.STATEMENT, row.id, row.controller, body))
    told = context.vault.ledger.entries(recording=row.id, kinds={Kind.STATEMENT})
    return {"recording": row.id, "statements": sum(1 for _ in told)}


OPERATIONS: dict[str, Operation] = {"recordings/correct": correct, "recordings/statement": statement}
CHANGING = frozenset(OPERATIONS)


def _row(context: Context, params: Params) -> RecordingRow:
    id_ = scope.recording(context.vault, context.controller, text(params, "id"))
    row = context.vault.recording(id_)
    if row.state == "erased" or row.erasing:
        raise Refused(f"recording {id_} is erased", "there is nothing of it to be corrected")
    return row


def _correct_language(context: Context, row: RecordingRow, value: str, reason: str) -> None:
    decision = context.vault.decision(row.decision)
    if not value.replace("-", "").isalnum() or len(value) > 35:  # RFC 5646, 4.4.1
        raise ConfigError(f"{value!r} is no language tag", "for example sv, or de-AT")
    body = {"field": LANGUAGE, "old": decision.language, "new": value, "reason": reason, "actor": context.actor}
    context.vault.note(Fact(Kind.CORRECTED, row.id, row.controller, body | {"decision": decision.id}))


def _correct_number(context: Context, row: RecordingRow, value: str, reason: str) -> None:
    subject = persons.subject_of(context.config, row.controller, value)
    controller = context.config.policy.controllers[row.controller]
    number = e164(value, controller.country)
    assert number is not None  # else there were no subject
    # Sealed first: a pseudonym whose number is another's would let the wrong person have it.
    context.vault.keep_number(row.id, row.controller, number, controller.recipients)
    body = {"field": NUMBER, "reason": reason, "actor": context.actor}
    context.vault.submit(
        Fact(Kind.CORRECTED, row.id, row.controller, body),
        Fact(Kind.SUBJECT, row.id, row.controller, {"subject": subject}),
    ).result()
