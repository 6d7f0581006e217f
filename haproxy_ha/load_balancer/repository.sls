# The package repository that HAProxy comes from (optional; else the distribution's own). A HAProxy that is installed is not upgraded.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.preflight

{% if "load_balancer" in settings.roles and settings.haproxy.repository %}
haproxy_ha-load-balancer-repository:
  haproxy_ha.repository:
    - require:
      - haproxy_ha: haproxy_ha-preflight
{% endif %}
