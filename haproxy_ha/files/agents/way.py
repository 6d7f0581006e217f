"""The way of clients to this node: judged several times a second, so that its loss is told within one.

Nothing is concluded from a gateway that has never answered.
"""

SILENT = 1.2  # seconds: six requests in a row
RETURN = 1.1  # seconds: a network service that is reloaded takes an address away and brings it back
# What was lost must have been well for so long; twice as long each time that it is lost soon again.
SETTLED, LONGEST, SOON = 3.0, 24.0, 600.0


class Way:
    """Whether it is there, and why not."""

    def __init__(self):
        self.reason, self.by_gateway = "", False
        self._gone_since = self._well_since = None
        self._lost, self._pause = None, SETTLED

    def look(self, now, answered, gone):
        """Judges anew.

        Args:
            now (float): Monotonic seconds.
            answered (float): When the gateway has answered last; None for never.
            gone (list): Addresses with their ports on which HAProxy listens and that have left this machine.
        """
        silent = self._gateway(now, answered)
        found = self._addresses(now, gone) or silent
        if found:
            self.by_gateway = found == silent
            if not self.reason:
                self._remember_loss(now)
            self.reason, self._well_since = found, None
        elif self.reason:
            self._well_since = now if self._well_since is None else self._well_since
            if now - self._well_since >= self._pause:
                self.reason = ""

    def _remember_loss(self, now):
        again = self._lost is not None and now - self._lost < SOON
        self._pause = min(LONGEST, self._pause * 2) if again else SETTLED
        self._lost = now

    def _gateway(self, now, answered):
        silent = answered is not None and now - answered >= SILENT
        return f"the gateway does not answer for {SILENT:g} s" if silent else ""

    def _addresses(self, now, gone):
        if not gone:
            self._gone_since = None
            return ""
        self._gone_since = now if self._gone_since is None else self._gone_since
        missing = now - self._gone_since >= RETURN
        return f"this machine has no longer the address of {', '.join(gone)}" if missing else ""
