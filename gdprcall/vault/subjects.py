"""Telephone numbers as subjects: E.164 where a number is one, and a keyed pseudonym to find a person's recordings by.

A pseudonym is still personal data (GDPR recital 26). A caller without a number has no subject; nothing is guessed.
"""

import hmac
import re

import phonenumbers

DOMAIN = b"gdprcall/phone/v1\0"
PSEUDONYM_BYTES = 16

# Letters would be read as the digits of a keypad, and "ext. 5" would be dropped: both would name another person.
_DIALLED = re.compile(r"\+?[0-9 ()./-]{3,32}")


def e164(number: str, region: str | None) -> str | None:
    """Return ``number`` in E.164, read as dialled in ``region`` (ISO 3166), or None if it is withheld or no number.

    A number that is only complete within a town or a PBX is none: it would stand for a different person elsewhere.
    """
    if not _DIALLED.fullmatch(number):
        return None
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def region(number: str | None) -> str:
    """Return the country (ISO 3166) of an E.164 number by its prefix, or "" if it has none or belongs to no country."""
    if number is None:
        return ""
    try:
        found = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return ""
    # "001" is what networks without a country have, such as satellites.
    return found if found and found.isalpha() else ""


def pseudonym(key: bytes, number: str) -> str:
    """Return the subject of an E.164 number under a controller's key: 32 hex digits of HMAC-SHA-256 (RFC 2104)."""
    return hmac.digest(key, DOMAIN + number.encode("ascii"), "sha256")[:PSEUDONYM_BYTES].hex()
