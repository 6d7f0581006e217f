# What would stop the run later is found before anything is touched: held ports, a floating IP that the API does not know.
{% set settings = salt["haproxy_ha.settings"](saltenv) if "haproxy_ha.settings" in salt else {"roles": []} %}

include:
  - haproxy_ha.guard

{% if settings.roles %}
haproxy_ha-preflight:
  haproxy_ha.preflight: []
{% endif %}
