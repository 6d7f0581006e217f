# HAProxy, installed without starting it.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.preflight
{% if "load_balancer" in settings.roles %}
{% if settings.haproxy.remove_nginx %}
  - haproxy_ha.load_balancer.nginx_removed
{% endif %}
{% if settings.haproxy.repository %}
  - haproxy_ha.load_balancer.repository
{% endif %}

haproxy_ha-load-balancer-package:
  haproxy_ha.packages_installed:
    - pkgs: {{ settings.packages.haproxy | json }}
    - units: [{{ settings.services.haproxy | json }}]
    - require:
      - haproxy_ha: haproxy_ha-preflight
{% if settings.haproxy.repository %}
      - haproxy_ha: haproxy_ha-load-balancer-repository
{% endif %}
{% endif %}
