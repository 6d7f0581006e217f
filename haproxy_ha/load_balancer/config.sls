# HAProxy's configuration: checked by HAProxy before it is installed, reloaded if it runs here, confirmed.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.load_balancer.package
  - haproxy_ha.cluster.agents

{% if "load_balancer" in settings.roles %}
haproxy_ha-load-balancer-config:
  haproxy_ha.files:
    - name: haproxy
    - require:
      - haproxy_ha: haproxy_ha-load-balancer-package
      - haproxy_ha: haproxy_ha-cluster-agents
{% endif %}
