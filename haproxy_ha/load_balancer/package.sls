# HAProxy, installed without starting it.
{% from "haproxy_ha/map.jinja" import roles, settings with context %}

include:
  - haproxy_ha.load_balancer.nginx_removed
  - haproxy_ha.load_balancer.repository

{% if "load_balancer" in roles %}
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
