# corosync.conf: checked by corosync before it is installed, reloaded if corosync runs.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.cluster.authkey

{% if "load_balancer" in settings.roles %}
{% if not settings.quorum_helper %}
# Before the cluster counts votes without it.
haproxy_ha-cluster-quorum-device:
  haproxy_ha.dead:
    - name: {{ settings.services.quorum_device | json }}
    - require:
      - haproxy_ha: haproxy_ha-cluster-package
    - require_in:
      - haproxy_ha: haproxy_ha-cluster-config
{% endif %}

haproxy_ha-cluster-config:
  haproxy_ha.files:
    - name: corosync
    - require:
      - haproxy_ha: haproxy_ha-cluster-authkey
{% endif %}
