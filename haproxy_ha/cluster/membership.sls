# Every load balancer is online in the cluster (a bounded wait, which names who is waited for).
{% from "haproxy_ha/map.jinja" import settings with context %}

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
