# The cluster's whole configuration, in one commit.
{% from "haproxy_ha/map.jinja" import roles, settings with context %}

include:
  - haproxy_ha.cluster.membership

{% if "load_balancer" in roles %}
haproxy_ha-cluster-resources:
  pacemaker.configured:
    - name: haproxy_ha
    - configuration: {{ settings.cluster.configuration | json }}
    - purge: {{ settings.cluster.purge | json }}
    - expected_nodes: {{ settings.load_balancers | list | json }}
    - max_disruption: {{ settings.cluster.max_disruption | json }}
    - require:
      - haproxy_ha: haproxy_ha-cluster-membership
{% endif %}
