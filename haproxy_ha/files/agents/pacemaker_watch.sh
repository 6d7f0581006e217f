#!/bin/sh
# Restarts a Pacemaker whose CIB manager stays away; runs as haproxy_ha-pacemaker-watch.service.
#
# When the CIB manager crashes, Pacemaker's other daemons end too, and the signal of that can interrupt pacemakerd while it
# asks Corosync whether it is there: it takes that for a No, and waits for a Corosync that never went. The node would be
# out of the cluster until somebody restarts Pacemaker, which no plain stop ends.
set -u

# A crash that pacemakerd mends takes a moment, so it has to be away twice.
INTERVAL=10

is_away() {
    ! grep -qs '^[0-9]* .pacemaker-based. [^Z]' /proc/[0-9]*/stat &&
        systemctl -q is-active corosync && systemctl -q is-active pacemaker
}

while sleep "$INTERVAL"; do
    if is_away && sleep "$INTERVAL" && is_away; then
        systemctl kill --signal=SIGKILL pacemaker
    fi
done
