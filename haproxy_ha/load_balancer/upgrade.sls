# HAProxy's newest package. It is restarted, so another load balancer takes the floating IP first.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.load_balancer.repository
{% if "load_balancer" in settings.roles %}
  - haproxy_ha.load_balancer.passive

haproxy_ha-load-balancer-upgrade:
  pkg.latest:
    - pkgs: {{ settings.packages.haproxy | json }}
    - refresh: true
    - require:
      - haproxy_ha: haproxy_ha-preflight
      - haproxy_ha: haproxy_ha-load-balancer-passive
{% if settings.haproxy.repository %}
      - haproxy_ha: haproxy_ha-load-balancer-repository
{% endif %}
{% endif %}
