"""The Pacemaker cluster, as this machine acts on it."""
