# What runs that were killed have left goes first. What would stop the run later is found before anything is touched, and then this is all that is rendered: one cause, one failure.
{% set settings = salt["haproxy_ha.rendered"](saltenv) if "haproxy_ha.rendered" in salt else {"roles": [], "problems": []} %}

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
