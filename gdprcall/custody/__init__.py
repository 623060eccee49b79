"""Who can open recordings: proof that somebody holds an identity, and new recipients for old recordings.

On the PBX it has public keys only. What needs an identity (``officer``) runs on its owner's machine and opens no vault.
"""
