"""The HAProxy of this machine while it runs: its sockets, and its servers over a reload."""
