"""An installation has no numpy; sqlite-utils would load it for 12 MB if it were there."""

raise ImportError("not a part of an installation")
