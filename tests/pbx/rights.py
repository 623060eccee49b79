"""One caller of the demonstration asks for a copy of what is recorded of him, and then to be forgotten: by the commands of the README.

What came of it is looked up in the files: the sound of the copy, the certificate, and what the vault still opens.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from tests.pbx.installation import Installation
from tests.pbx.prepare import ROOT
from tests.pbx.speech import read_wav, whose

WHO = ("caller", "agent")
LEAST_S = 2.0


def exercised(installation: Installation, number: str, recording: str, folder: Path) -> bool:
    """Let him ask and be answered; print what he gets, and return whether it is what he may ask for."""
    asked = requested(installation, number, "access")
    package, copy = folder / "access.age", folder / "access"
    installation.cli("subject", "access", number, "--controller", "acme", "--request", asked, "-o", str(package))
    installation.cli("subject", "finish", str(package), "-i", str(installation.identity), "--plain", "-o", str(copy))
    good = holds_both(copy, recording)
    answered(installation, asked, "You were sent a copy.")
    forgotten = requested(installation, number, "erasure")
    words = ("subject", "erase", number, "--controller", "acme", "--request", forgotten, "--reason", "his request")
    certificate = json.loads(installation.cli(*words, "--never-record", "--yes", "--json").stdout)
    (folder / "certificate.json").write_text(json.dumps(certificate, indent=2) + "\n")
    answered(installation, forgotten, "It is destroyed.")
    good &= destroyed(installation, certificate, words, recording)
    for path, what in (
        (copy / "letter.html", "the letter of the copy"),
        (folder / "certificate.json", "the certificate of the erasure"),
    ):
        print(f"  {path.relative_to(ROOT)}: {what}")
    return good


def requested(installation: Installation, number: str, what: str) -> str:
    """Enter a request into the register, let him show who he is, and return its id."""
    now = datetime.now(UTC).isoformat(timespec="minutes")
    words = ("requests", "open", number, "--controller", "acme", "--type", what, "--channel", "mail", "--received", now)
    (id_,) = re.findall(r"^request ([0-9a-f]{32}): ", installation.cli(*words).stdout, re.MULTILINE)
    installation.cli("requests", "identify", id_, "--method", "document")
    return str(id_)


def answered(installation: Installation, request: str, note: str) -> None:
    """Close a request."""
    installation.cli("requests", "answer", request, "--note", note)


def holds_both(copy: Path, recording: str) -> bool:
    """Print whose speech the copy holds; whether both are in it, and the letter."""
    (row,) = [row for row in json.loads((copy / "metadata.json").read_text()) if row["id"] == recording]
    (sound,) = [copy / name for name in row["files"] if name.endswith(".wav")]
    seconds = whose(read_wav(sound), WHO)
    print(f"  the copy: {', '.join(f'{who} {seconds[who]:.1f} s' for who in WHO)}")
    return all(seconds[who] >= LEAST_S for who in WHO) and (copy / "letter.html").is_file()


def destroyed(
    installation: Installation, certificate: dict[str, object], words: tuple[str, ...], recording: str
) -> bool:
    """Print what the certificate says; whether it is so, and his number finds nothing any more."""
    erased = certificate["erased"]
    assert isinstance(erased, list)
    steps = [step["step"] for one in erased for step in one["steps"]]
    print(
        f"  the certificate: {len(erased)} recording destroyed, {len(certificate['packages'])} package to be destroyed"
    )  # type: ignore[arg-type]
    again = installation.cli(*words, "--yes", check=False)
    objects = list((installation.folder / "vault" / "objects").rglob(f"{recording}.*"))
    return (
        again.returncode == 3 and not objects and "header" in " ".join(steps) and all(one["complete"] for one in erased)
    )
