# Another load balancer holds the floating IP, so that this one can be changed.
{% set settings = salt["haproxy_ha.settings"](saltenv) if "haproxy_ha.settings" in salt else {"roles": []} %}

include:
  - haproxy_ha.guard

{% if "load_balancer" in settings.roles %}
haproxy_ha-load-balancer-passive:
  haproxy_ha.passive: []
{% endif %}
