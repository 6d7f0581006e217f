# Another load balancer holds the floating IP, so that this one can be changed: whatever preflight says, it may be the reason.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.guard

{% if "load_balancer" in settings.roles %}
haproxy_ha-load-balancer-passive:
  haproxy_ha.passive:
    - require:
      - haproxy_ha: haproxy_ha-settings
{% endif %}
