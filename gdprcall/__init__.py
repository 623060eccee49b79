"""gdprcall asks callers of an Asterisk PBX, records those who agree, and answers for each recording.

This package never records by itself: Asterisk's dialplan does, and only after a durable decision.
"""

__version__ = "0.1.0"
