# What would stop the run later is found before anything is touched: held ports, a floating IP that the API does not know.
{% from "haproxy_ha/map.jinja" import roles with context %}

include:
  - haproxy_ha.guard

{% if roles %}
haproxy_ha-preflight:
  haproxy_ha.preflight: []
{% endif %}
