# The Corosync and Pacemaker cluster over the load balancers, which moves the floating IP.
include:
  - haproxy_ha.cluster.package
  - haproxy_ha.cluster.authkey
  - haproxy_ha.cluster.config
  - haproxy_ha.cluster.agents
  - haproxy_ha.cluster.events
  - haproxy_ha.cluster.monitoring
  - haproxy_ha.cluster.token
  - haproxy_ha.cluster.service
  - haproxy_ha.cluster.membership
  - haproxy_ha.cluster.resources
