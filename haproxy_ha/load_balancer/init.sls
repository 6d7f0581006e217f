# A load balancer: HAProxy on the anchor IP. The cluster starts it.
include:
  - haproxy_ha.load_balancer.package
  - haproxy_ha.load_balancer.config
  - haproxy_ha.load_balancer.service
