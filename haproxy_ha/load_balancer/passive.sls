# Another load balancer holds the floating IP, so that this one can be changed.
{% from "haproxy_ha/map.jinja" import roles with context %}

include:
  - haproxy_ha.guard

{% if "load_balancer" in roles %}
haproxy_ha-load-balancer-passive:
  haproxy_ha.passive: []
{% endif %}
