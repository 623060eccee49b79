"""Talking to Asterisk: ARI asks, AMI watches and stops, the spool hands over finished files. Nothing here decides."""
