# corosync.conf: checked by corosync before it is installed, reloaded if corosync runs.
{% from "haproxy_ha/map.jinja" import roles with context %}

include:
  - haproxy_ha.cluster.authkey

{% if "load_balancer" in roles %}
haproxy_ha-cluster-config:
  haproxy_ha.files:
    - name: corosync
    - require:
      - haproxy_ha: haproxy_ha-cluster-authkey
{% endif %}
