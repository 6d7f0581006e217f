#!/bin/sh
# Mends two slips of Pacemaker's; runs as haproxy_ha-pacemaker-watch.service.
#
# When the CIB manager crashes, Pacemaker's other daemons end too, and the signal of that can interrupt pacemakerd while it
# asks Corosync whether it is there: it takes that for a No, and waits for a Corosync that never went. The node would be
# out of the cluster until somebody restarts Pacemaker, which no plain stop ends.
#
# And a monitor that it no longer runs: unwatched.py has more.
set -u

# A crash that pacemakerd mends takes a moment, so it has to be away twice.
INTERVAL=10

is_away() {
    ! grep -qs '^[0-9]* .pacemaker-based. [^Z]' /proc/[0-9]*/stat &&
        systemctl -q is-active corosync && systemctl -q is-active pacemaker
}

may_be_unwatched() {
    set -- "${HA_RSCTMP:-/run/resource-agents}"/haproxy_ha-degraded-*
    [ -e "$1" ] && [ -n "$(find "$@" -mmin +0.3)" ]
}

while sleep "$INTERVAL"; do
    if is_away && sleep "$INTERVAL" && is_away; then
        systemctl kill --signal=SIGKILL pacemaker
    elif may_be_unwatched; then
        /usr/bin/python3 -BIS "${0%/*}/unwatched.py"
    fi
done
