"""What else starts a recorder: the lines of Asterisk's own configuration that do, each with its place and its mend.

It reads the files that it may, resolves no variable, and asks Asterisk for nothing.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gdprcall import dialplan
from gdprcall.doctor.finding import OK, WARN, Finding
from gdprcall.errors import ConfigError
from gdprcall.policy.dialplan import arguments

CHECK = "other recorders"
SUFFIXES = frozenset({".conf", ".ael", ".lua"})
OWN_APPLICATION = "gdprcall"
MOST_FILES = 2000
MOST_TOLD = 20
"""How many places are told one by one; a large PBX has hundreds of the same kind."""
FREEPBX = "see recipes/freepbx.md: set Call Recording to No or Don't Care there, never to Force, Yes or Never"
FREEPBX_OWN = frozenset({"sub-record-check", "macro-one-touch-record", "sub-record-cancel"})
_MENDS = {
    "start": "take it out where calls of a line come by; gdprcall alone starts what callers agreed to",
    "telephone": "take w, W, x and X out of the options, so that no telephone starts one",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One line of a file: in which section it is, and what stands there without its comment."""

    file: Path
    number: int
    section: str
    text: str


def examine(folder: Path) -> Iterator[Finding]:
    """Yield each place that starts a recorder, or that there is none; and what could not be read."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())[:MOST_FILES]
    unread: list[str] = []
    found = [one for path in files for one in _file(path, unread)]
    yield from found[:MOST_TOLD]
    if len(found) > MOST_TOLD:
        yield Finding(CHECK, WARN, f"and {len(found) - MOST_TOLD} more places", "mend these, and run the doctor again")
    if unread or not files:
        text = f"not read: {', '.join(unread[:5])}" if unread else f"there is no configuration in {folder}"
        yield Finding(CHECK, WARN, text, "run the doctor as root, or say where it is: asterisk.configuration")
    elif not found:
        yield Finding(CHECK, OK, f"none is started by the {len(files)} files in {folder}")


def _file(path: Path, unread: list[str]) -> Iterator[Finding]:
    section = ""
    try:
        text = dialplan.text_of(path)
    except ConfigError:
        unread.append(path.name)
        return
    for number, line in enumerate(text.splitlines(), 1):
        words = (dialplan.COMMENT.sub("", line) if path.suffix != ".lua" else line.partition("--")[0]).strip()
        if heading := dialplan.CONTEXT.match(words):
            section = heading[1]
        elif words and section.split("-")[0] != dialplan.OWN:
            yield from judge(Place(path, number, section, words))


def applications(names: list[str]) -> Finding:
    """Return whether other ARI applications are connected: what they record by ARI itself is told by no event of AMI."""
    others = [name for name in names if name != OWN_APPLICATION]
    if others:
        text = f"also connected: {', '.join(others)}; what they record of a call they hold is not seen by the guard"
        return Finding("ari applications", WARN, text, "see that none of them records calls of a line")
    return Finding("ari applications", OK, "no other application is connected")


def judge(place: Place) -> Iterator[Finding]:
    """Yield what one line starts."""
    for look in _LOOKS:
        for what, mend in look(place):
            yield Finding(CHECK, WARN, f"{place.file}:{place.number}: {what}", mend)


Told = tuple[str, str]


def _applications(place: Place) -> Iterator[Told]:
    """Applications of the dialplan that record, wherever on the line they stand: also in ExecIf(), in AEL and in Lua."""
    mend = FREEPBX if place.section in FREEPBX_OWN else _MENDS["start"]
    if re.search(r"(?<![\w$])mixmonitor\s*[(,]", place.text, re.IGNORECASE):
        yield "MixMonitor() records", mend
    if re.search(r"(?<![\w$])(start)?monitor\s*\(", place.text, re.IGNORECASE):
        yield "Monitor() records", mend
    if (check := re.search(r"sub-record-check,s,1\(([^)]*)\)", place.text)) and place.section not in FREEPBX_OWN:
        wanted = check[1].rpartition(",")[2].strip().lower()
        if wanted in {"force", "yes", "always", "delayed"}:
            yield f"FreePBX's Call Recording is set to {wanted}", FREEPBX
        elif wanted == "never":
            yield "FreePBX's Call Recording is set to never, which also ends the recording of gdprcall", FREEPBX
    if re.search(r"record_conference\)?\s*=>?\s*[\"']?(yes|true|1|on)\b", place.text, re.IGNORECASE):
        yield "record_conference records a whole conference", "set it to no, or keep calls of a line out of it"


def _options(place: Place) -> Iterator[Told]:
    """Options of Dial() and Queue() that let a telephone start a recorder, and of ChanSpy() that record."""
    for name, number, starts in (("Dial", 2, "wWxX"), ("Queue", 1, "wWxX"), ("ChanSpy", 1, "r"), ("ExtenSpy", 1, "r")):
        for begin in re.finditer(rf"(?<!\w){name}\(", place.text):
            given = arguments(place.text[begin.end() :])
            letters = _letters(given[number]) if len(given) > number else ""
            if hit := sorted(set(letters) & set(starts)):
                if starts == "r":
                    yield f"{name}() with r records what it listens to", _MENDS["start"]
                else:
                    yield f"{name}() with {''.join(hit)} lets a telephone start a recorder", _MENDS["telephone"]
    # FreePBX and its like keep the options of all their Dial() in a global.
    if (options := re.fullmatch(r"\w*(?:DIAL|TRUNK)_OPTIONS\s*=>?\s*(\S*)", place.text)) and set(
        _letters(options[1])
    ) & set("wWxX"):
        yield "options of each Dial() let a telephone start a recorder", _MENDS["telephone"]


def _settings(place: Place) -> Iterator[Told]:
    """Keys of queues.conf, features.conf and pjsip.conf."""
    key, _, value = (part.strip() for part in re.sub("=>", "=", place.text).partition("="))
    value = value.lower()
    if key in {"monitor-format", "monitor-type"} and value:
        yield f"{key} has the calls of a queue recorded", "take monitor-format and monitor-type out of the queue"
    elif key in {"automixmon", "automon"} and value and place.section == "featuremap":
        yield (
            f"{key}: a code that starts a recorder, where Dial() or Queue() allow it",
            f"take {key} out of [featuremap]",
        )
    elif key == "one_touch_recording" and value in {"yes", "true", "1", "on"}:
        yield "a telephone may start a recorder by its record button", "one_touch_recording = no"
    elif place.section == "applicationmap" and re.search(r"\bmonitor,|one-touch-record", value):
        yield f"{key}: a code that starts a recorder", "take it out of [applicationmap], or away from DYNAMIC_FEATURES"


_LOOKS: tuple[Callable[[Place], Iterator[Told]], ...] = (_applications, _options, _settings)


def _letters(options: str) -> str:
    """Return the letters of options without their arguments, and without what only the running call knows."""
    while (shorter := re.sub(r"\$?[({\[][^(){}\[\]]*[)}\]]", "", options)) != options:
        options = shorter
    return options
