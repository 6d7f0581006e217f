# HAProxy's unit does not start at boot: the cluster starts it.
{% from "haproxy_ha/map.jinja" import roles, settings with context %}

include:
  - haproxy_ha.load_balancer.package

{% if "load_balancer" in roles %}
haproxy_ha-load-balancer-service:
  haproxy_ha.disabled:
    - name: {{ settings.services.haproxy | json }}
    - require:
      - haproxy_ha: haproxy_ha-load-balancer-package
{% endif %}
