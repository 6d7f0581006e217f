# An app server: nginx on the private address, for the load balancers only.
include:
  - haproxy_ha.app.package
  - haproxy_ha.app.page
  - haproxy_ha.app.config
  - haproxy_ha.app.service
