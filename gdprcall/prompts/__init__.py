"""What callers hear: texts with slots, their sound, and which sound was played. It decides nothing about recording."""
