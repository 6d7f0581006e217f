# The key that the cluster's nodes know each other by.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.cluster.package

{% if "load_balancer" in settings.roles %}
haproxy_ha-cluster-authkey:
  haproxy_ha.secret_file:
    - name: {{ settings.paths.corosync_authkey | json }}
    - secret: authkey
    - require:
      - haproxy_ha: haproxy_ha-cluster-package
{% endif %}
