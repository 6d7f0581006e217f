# The host's firewall opens exactly what this minion serves (off by default).
{% from "haproxy_ha/map.jinja" import roles, settings with context %}

include:
  - haproxy_ha.guard

{% if roles and settings.firewall.enabled %}
haproxy_ha-firewall:
  haproxy_ha.firewall: []
{% endif %}
