"""``make fuzz``: bytes that nobody would write, into everything that reads what comes from outside."""
