#!/bin/sh
# An alert agent of Pacemaker: leaves what it is told of nodes, resources and attributes for haproxy_ha-events.service, one line in a
# file of its own. It runs as hacluster, which cannot read the minion's key, at the moment at which time counts most.
set -u
umask 077

SPOOL=/var/spool/haproxy_ha
# A disk that fills up would be worse than an event that nobody hears of.
MOST=1000

cd "$SPOOL" || exit 0
set -- *
[ $# -lt "$MOST" ] || exit 0
name="${CRM_alert_timestamp_epoch:-0}.${CRM_alert_timestamp_usec:-0}.$$"
printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "${CRM_alert_timestamp_epoch:-}" "${CRM_alert_kind:-}" \
    "${CRM_alert_node:-}" "${CRM_alert_desc:-}" "${CRM_alert_rsc:-${CRM_alert_attribute_name:-}}" \
    "${CRM_alert_task:-${CRM_alert_attribute_value:-}}" "${CRM_alert_interval:-}" \
    "${CRM_alert_rc:-}" "${CRM_alert_target_rc:-}" > ".$name" && mv ".$name" "$name"
