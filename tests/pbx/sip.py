"""SIP messages and the dialogs they belong to (RFC 3261), as text: nothing is sent here, and no clock is looked at.

It is as much of SIP as one telephone needs that talks to one PBX over UDP on the loopback.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

HOST = "127.0.0.1"
ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, NOTIFY")
REASONS = {
    180: "Ringing",
    200: "OK",
    302: "Moved Temporarily",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    501: "Not Implemented",
    603: "Decline",
}
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response: its first line, its headers in their order, its body."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    @classmethod
    def parse(cls, data: bytes) -> "Message":
        """Return the message of one datagram; raises ValueError for what is none."""
        head, _, body = data.decode().partition("\r\n\r\n")
        start, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        pairs = [line.partition(":") for line in lines]
        if "SIP/2.0" not in start or not all(colon for _, colon, _ in pairs):
            raise ValueError(f"no SIP message: {start!r}")
        return cls(start, tuple((name.strip(), value.strip()) for name, _, value in pairs), body)

    def data(self) -> bytes:
        """Return it as it goes into a datagram."""
        body = self.body.encode()
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers), f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for other, value in self.headers if other.lower() == name.lower()]

    def get(self, name: str) -> str:
        """Return the first value of a header, or nothing."""
        return next(iter(self.all(name)), "")

    @property
    def status(self) -> int:
        """The status of a response; 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def sequence(self) -> int:
        """The number in its CSeq."""
        return int(self.get("CSeq").split()[0])

    @property
    def method(self) -> str:
        """What is asked, or was asked and is answered."""
        return self.get("CSeq").split()[1]

    @property
    def branch(self) -> str:
        """What names its transaction (RFC 3261 17)."""
        found = re.search(r";branch=([^;,\s]+)", self.get("Via"))
        return found[1] if found else ""


def tag(address: str) -> str:
    """Return the tag of a From or To, or nothing."""
    found = re.search(r";tag=([^;\s]+)", address.rpartition(">")[2])
    return found[1] if found else ""


def uri(address: str) -> str:
    """Return the URI of a From, To or Contact."""
    found = re.search(r"<([^>]+)>", address)
    return found[1] if found else address.partition(";")[0].strip()


def user(address: str) -> str:
    """Return whom a URI names, such as a number."""
    return uri(address).removeprefix("sip:").partition("@")[0]


def new_tag() -> str:
    """Return what names one side of one dialog."""
    return secrets.token_hex(6)


def response(request: Message, status: int, *, to_tag: str = "", headers: Headers = (), body: str = "") -> Message:
    """Return an answer to a request; ``to_tag`` is ours, if the request did not name it yet."""
    to = request.get("To")
    if to_tag and not tag(to):
        to += f";tag={to_tag}"
    copied = [(name, value) for name in ("Via", "Record-Route") for value in request.all(name)]
    copied += [(name, request.get(name)) for name in ("From", "Call-ID", "CSeq")]
    kind = [("Content-Type", "application/sdp")] if body else []
    return Message(f"SIP/2.0 {status} {REASONS[status]}", (*copied, ("To", to), *headers, *kind), body)


def same_hop(request: Message, method: str, to: str = "") -> Message:
    """Return the CANCEL of an INVITE, or the ACK of its refusal: both have its branch (RFC 3261 9.1, 17.1.1.3)."""
    kept = [
        (name, value) for name in ("Via", "Route", "From", "Call-ID", "Max-Forwards") for value in request.all(name)
    ]
    target = request.start.split()[1]
    return Message(
        f"{method} {target} SIP/2.0", (*kept, ("To", to or request.get("To")), ("CSeq", f"{request.sequence} {method}"))
    )


@dataclass(slots=True)
class Dialog:
    """One side's view of a dialog (RFC 3261 12): who is who, where requests go, and how they are counted."""

    call_id: str
    local: str
    remote: str
    target: str
    port: int
    routes: list[str] = field(default_factory=list)
    counted: int = field(default_factory=lambda: secrets.randbelow(1000) + 1)

    @classmethod
    def placing(cls, name: str, extension: str, port: int, pbx_port: int) -> "Dialog":
        """Return the beginning of a call from ``name``, or from nobody, to an extension."""
        who = name or "anonymous"
        target = f"sip:{extension}@{HOST}:{pbx_port}"
        return cls(secrets.token_hex(12), f'"{who}" <sip:{who}@{HOST}>;tag={new_tag()}', f"<{target}>", target, port)

    @classmethod
    def answering(cls, invite: Message, port: int) -> "Dialog":
        """Return the dialog that an INVITE begins at the telephone that it reaches."""
        local = f"{invite.get('To')};tag={new_tag()}"
        target, routes = uri(invite.get("Contact")), invite.all("Record-Route")
        return cls(invite.get("Call-ID"), local, invite.get("From"), target, port, routes)

    @property
    def contact(self) -> tuple[str, str]:
        """The header that says where this telephone is reached."""
        return "Contact", f"<sip:{user(self.local)}@{HOST}:{self.port}>"

    def learn(self, answer: Message) -> None:
        """Take from an answer to the first INVITE what the other side added (RFC 3261 12.1.2)."""
        self.remote = answer.get("To")
        self.routes = answer.all("Record-Route")[::-1]
        if contact := answer.get("Contact"):
            self.target = uri(contact)

    def request(self, method: str, headers: Headers = (), body: str = "", *, counted: int = 0) -> Message:
        """Return the next request in this dialog; ``counted`` is the number of the INVITE that an ACK belongs to."""
        if not counted:
            self.counted += 1
            counted = self.counted
        via = f"SIP/2.0/UDP {HOST}:{self.port};rport;branch=z9hG4bK{secrets.token_hex(8)}"
        fixed = [("Via", via), *(("Route", route) for route in self.routes), ("Max-Forwards", "70")]
        fixed += [("From", self.local), ("To", self.remote), ("Call-ID", self.call_id), ("CSeq", f"{counted} {method}")]
        return Message(f"{method} {self.target} SIP/2.0", (*fixed, self.contact, ALLOW, *headers), body)

    def invite(self, body: str, replaced: "Dialog | None" = None) -> Message:
        """Return an INVITE that offers what ``body`` describes, to take the place of another dialog if one is ``replaced``."""
        taking = [("Require", "replaces"), ("Replaces", replaced.named)] if replaced else [("Supported", "replaces")]
        return self.request("INVITE", [*taking, ("Content-Type", "application/sdp")], body)

    @property
    def named(self) -> str:
        """How the other side is told which of its dialogs this is (RFC 3891 3)."""
        return f"{self.call_id};to-tag={tag(self.remote)};from-tag={tag(self.local)}"

    def replacing(self) -> str:
        """Return the URI that names this dialog as the one to be replaced, as a Refer-To wants it (RFC 3891)."""
        return f"{self.target}?Replaces={quote(self.named, safe='')}"
