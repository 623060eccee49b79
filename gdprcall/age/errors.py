"""What can be wrong with an age file, a recipient or an identity.

No message holds key material or plaintext.
"""


class AgeError(Exception):
    """Base of all errors of this package."""


class HeaderError(AgeError):
    """The header is not a well-formed age v1 header, or a stanza of a known type is malformed."""


class MacError(HeaderError):
    """The header was changed: its MAC does not match the file key."""


class NoMatch(AgeError):
    """None of the identities opens this file."""


class ArmorError(AgeError):
    """The armor is not strict PEM with the label of an age file."""


class PayloadError(AgeError):
    """The payload is truncated, extended, reordered, changed, or belongs to another header."""


class BadRecipient(AgeError):
    """The text is no recipient of a supported type."""


class BadIdentity(AgeError):
    """The text is no identity of a supported type."""
