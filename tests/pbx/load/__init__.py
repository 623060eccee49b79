"""``make load``: calls with real sound, at most of what the machine bears, for minutes: all asked, recorded whole, flat."""
