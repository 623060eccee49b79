"""What may be recorded, for whom and why; values and rules, nothing that touches the world."""
