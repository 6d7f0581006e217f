# HAProxy's configuration: checked by HAProxy before it is installed, reloaded if it runs here, confirmed.
{% set settings = salt["haproxy_ha.rendered"](saltenv) if "haproxy_ha.rendered" in salt else {"roles": []} %}

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
