"""``make bench`` and ``make load``: what gdprcall costs and how it bears load, measured on a private Asterisk.

Nothing here is imported by the program or by its tests of correctness.
"""
