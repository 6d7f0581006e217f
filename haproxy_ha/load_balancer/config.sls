# HAProxy's configuration: checked by HAProxy before it is installed, reloaded if it runs here, confirmed.
{% from "haproxy_ha/map.jinja" import roles with context %}

include:
  - haproxy_ha.load_balancer.package

{% if "load_balancer" in roles %}
haproxy_ha-load-balancer-config:
  haproxy_ha.files:
    - name: haproxy
    - require:
      - haproxy_ha: haproxy_ha-load-balancer-package
{% endif %}
