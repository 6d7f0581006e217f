"""HAProxy: its configuration, a line of it, and what it says while it runs."""
