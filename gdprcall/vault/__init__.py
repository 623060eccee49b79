"""Sealed recordings and all that is known of them: payloads, headers, an index, and the ledger of what was done."""
