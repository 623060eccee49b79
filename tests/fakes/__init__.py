"""Fakes of Asterisk, for faults that a real one does not produce on demand; never for what a real one can show."""
