# What haproxy_ha.clean does, and then the copies of what was there before go as well: with them the last of the secrets.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.clean

{% if not settings.missing %}
haproxy_ha-purge-copies:
  haproxy_ha.removed:
    - name: copies
    - require:
      - haproxy_ha: haproxy_ha-clean-memory
{% endif %}
