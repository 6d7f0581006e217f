# HAProxy's unit does not start at boot: the cluster starts it.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.load_balancer.package

{% if "load_balancer" in settings.roles %}
haproxy_ha-load-balancer-service:
  haproxy_ha.disabled:
    - name: {{ settings.services.haproxy | json }}
    - require:
      - haproxy_ha: haproxy_ha-load-balancer-package
{% endif %}
