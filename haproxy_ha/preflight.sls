# What runs that were killed have left goes first. What would stop the run later is found before anything is touched, and then this is all that is rendered: one cause, one failure.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.guard

{% if settings.roles %}
haproxy_ha-tidied:
  haproxy_ha.tidied:
    - require:
      - haproxy_ha: haproxy_ha-settings
{% endif %}

{% if settings.roles or settings.problems %}
haproxy_ha-preflight:
  haproxy_ha.preflight:
    - rendered: {{ settings.problems | json }}
    - require:
      - haproxy_ha: haproxy_ha-settings
{% endif %}
