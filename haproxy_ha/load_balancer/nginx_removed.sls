# A previous nginx goes as the tutorial removes it (only if haproxy:remove_nginx): from the cluster, then service, package and configuration, which is kept as a backup.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.preflight

{% if "load_balancer" in settings.roles and settings.haproxy.remove_nginx %}
haproxy_ha-load-balancer-nginx-removed:
  haproxy_ha.nginx_removed:
    - require:
      - haproxy_ha: haproxy_ha-preflight
    - require_in:
      - haproxy_ha: haproxy_ha-load-balancer-package
{% endif %}
