# The cluster's whole configuration, in one commit.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.cluster.membership

{% if "load_balancer" in settings.roles %}
# In a cluster that was there before, a node may be online and not have the agents yet.
haproxy_ha-cluster-ready:
  haproxy_ha.cluster_ready:
    - timeout: {{ settings.cluster.expected_timeout | json }}
    - require:
      - haproxy_ha: haproxy_ha-cluster-pacemaker

haproxy_ha-cluster-resources:
  pacemaker.configured:
    - name: haproxy_ha
    - configuration: {{ settings.cluster.configuration | json }}
    - purge: {{ settings.cluster.purge | json }}
    - expected_nodes: {{ settings.load_balancers | list | json }}
    - max_disruption: {{ settings.cluster.max_disruption | json }}
    # Who is absent has been waited for: what can be said without them is said all the same.
    - forming: 5
    - require:
      - haproxy_ha: haproxy_ha-cluster-ready

# Another file has the token now, or none: the cluster reads the former one until here.
haproxy_ha-cluster-former-token:
  haproxy_ha.removed:
    - name: former_token
    - require:
      - pacemaker: haproxy_ha-cluster-resources
{% endif %}
