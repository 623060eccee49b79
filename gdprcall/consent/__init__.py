"""The consent dialogue: one call, one table, no input or output of its own."""
