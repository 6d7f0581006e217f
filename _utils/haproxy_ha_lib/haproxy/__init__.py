"""HAProxy: its configuration, the words of sections, a line of it, and what it says while it runs."""
