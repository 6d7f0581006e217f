#!/bin/sh
# Sends what alert_spool.sh has left, until nothing is left; runs as haproxy_ha-events.service. $1: the Python that Salt is
# installed in, $2: the minion's configuration.
set -u

SPOOL=/var/spool/haproxy_ha
# Between two tries while the master does not answer.
PAUSE=5

waiting() {
    set -- "$SPOOL"/*
    [ -e "$1" ]
}

while waiting; do
    "$1" -c 'from salt.scripts import salt_call; salt_call()' --config-dir="$2" --retcode-passthrough \
        --log-level=error haproxy_ha.send_events > /dev/null || sleep "$PAUSE"
done
