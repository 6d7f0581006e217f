#!/bin/sh
# Sends what alert_spool.sh has left, until nothing is left; runs as haproxy_ha-events.service. $1: the Python that Salt is
# installed in, $2: the minion's configuration.
set -u

SPOOL=/var/spool/haproxy_ha
# Seconds that Salt may take; those between two tries while the master does not answer, at first and at most.
MOST=300
pause=5
LONGEST=60

waiting() {
    set -- "$SPOOL"/*
    [ -e "$1" ]
}

send() {
    timeout "$MOST" "$1" -c 'from salt.scripts import salt_call; salt_call()' --config-dir="$2" --retcode-passthrough \
        --log-level=error haproxy_ha.send_events > /dev/null
}

while waiting; do
    if send "$@"; then
        pause=5
    else
        sleep "$pause"
        pause=$((pause * 2 < LONGEST ? pause * 2 : LONGEST))
    fi
done
