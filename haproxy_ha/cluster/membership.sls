# Every load balancer is online in the cluster (a bounded wait, which names who is waited for).
{% set settings = salt["haproxy_ha.rendered"](saltenv) if "haproxy_ha.rendered" in salt else {"roles": []} %}

include:
  - haproxy_ha.cluster.service

{% if "load_balancer" in settings.roles %}
haproxy_ha-cluster-membership:
  haproxy_ha.cluster_membership:
    - nodes: {{ settings.load_balancers | list | json }}
    - timeout: {{ settings.cluster.expected_timeout | json }}
    - require:
      - haproxy_ha: haproxy_ha-cluster-pacemaker
{% endif %}
