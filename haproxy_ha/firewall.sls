# The host's firewall opens exactly what this minion serves (off by default).
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.preflight

{% if settings.roles and settings.firewall.enabled %}
haproxy_ha-firewall-package:
  haproxy_ha.packages_installed:
    - pkgs: {{ settings.packages[settings.firewall.backend] | json }}
    - require:
      - haproxy_ha: haproxy_ha-preflight

haproxy_ha-firewall:
  haproxy_ha.firewall:
    - require:
      - haproxy_ha: haproxy_ha-firewall-package
{% endif %}
