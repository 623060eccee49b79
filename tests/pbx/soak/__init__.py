"""Random kills: calls, and blows that strike the daemon or Asterisk at any moment, and what must be true after them.

``plan`` says what happens in a round and is the same for the same seed; ``act`` does it with real programs; ``disk``,
``witness`` and ``tap`` tell what was seen; ``check`` compares that with the invariants; ``loop`` goes round.
"""
