# Proof that this load balancer serves, by requests through it, whoever holds the floating IP.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.load_balancer.config

{% if "load_balancer" in settings.roles %}
haproxy_ha-load-balancer-verified:
  haproxy_ha.verified:
    - timeout: 10
    - require:
      - haproxy_ha: haproxy_ha-load-balancer-config
{% endif %}
