# The resource agents and what they need, which run without Salt. They come before HAProxy's configuration: what a run installs is judged by what it brings.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.preflight

{% if "load_balancer" in settings.roles %}
haproxy_ha-cluster-agents-package:
  haproxy_ha.packages_installed:
    - pkgs: {{ (settings.packages.agents + (settings.packages.nftables if settings.floating_ip.is_routed else [])) | json }}
    - require:
      - haproxy_ha: haproxy_ha-preflight

haproxy_ha-cluster-agents:
  haproxy_ha.agents:
    - require:
      - haproxy_ha: haproxy_ha-cluster-agents-package
{% endif %}
