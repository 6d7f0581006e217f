# Corosync, Pacemaker and crmsh (for people), and a clock that is kept: installed without starting the package's one-node cluster.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.preflight

{% if "load_balancer" in settings.roles %}
{% set device = settings.packages.quorum_device + settings.packages.quorum_certificates if settings.quorum_helper else [] %}
{% set clock = settings.time_service %}
haproxy_ha-cluster-package:
  haproxy_ha.packages_installed:
    - pkgs: {{ (settings.packages.cluster + device + clock.packages) | json }}
    - units: {{ [settings.services.corosync, settings.services.pacemaker, settings.services.quorum_device, clock.unit] | json }}
    - require:
      - haproxy_ha: haproxy_ha-preflight

haproxy_ha-cluster-time:
  haproxy_ha.running:
    - name: {{ clock.unit | json }}
    - require:
      - haproxy_ha: haproxy_ha-cluster-package
{% endif %}
