"""A daemon under a stand-in of systemd: the daemon is real, ``systemctl`` and ``journalctl`` are scripts."""

import contextlib
import os
import signal
import socket
import subprocess

from haproxy_ha_host import waiting

SYSTEMCTL = """\
#!/bin/sh -e
# systemctl for one daemon: its master is the process in {pidfile}, which is there before it is written.
for _ in $(seq 1000); do
    pid=$(cat {pidfile} 2>/dev/null) || pid=0
    if [ -n "$pid" ]; then break; fi
    sleep 0.01
done
alive() {{ [ "$pid" -gt 0 ] && kill -0 "$pid" 2>/dev/null; }}
end() {{ if alive; then kill -TERM "$pid"; while alive; do :; done; fi; }}
case "$1 $3" in
"show ActiveState") if alive; then echo active; else echo {dead}; fi ;;
"show MainPID") if alive; then echo "$pid"; else echo 0; fi ;;
reload*) {reload} ;;
restart*) end; exec {start} ;;
start*) exec {start} ;;
esac
"""


class Service:
    """A daemon under a stand-in of systemd."""

    def __init__(self, daemon, directory, pidfile, start, reload_signal):
        self.daemon, self.pidfile, self.start = daemon, pidfile, start
        self.programs = directory / "bin"
        self.programs.mkdir()
        self.on_reload(f'kill -{reload_signal} "$pid"')
        self.program("journalctl", "#!/bin/sh\necho 'from the journal'\n")

    def on_reload(self, command, dead="failed"):
        """What `systemctl reload` does, in shell words, and what systemd says of the daemon when it is not there."""
        start = " ".join(self.start)
        text = SYSTEMCTL.format(pidfile=self.pidfile, start=start, reload=command.format(start=start), dead=dead)
        self.program("systemctl", text)

    def program(self, name, text):
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def begin(self):
        subprocess.run(self.start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert waiting.wait_for(self.pidfile.exists, 5)

    def end(self):
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(self.pidfile.read_text()), signal.SIGKILL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
