# The host's firewall opens exactly what this minion serves (off by default).
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.preflight

{% if settings.roles and settings.firewall.enabled %}
haproxy_ha-firewall-package:
  haproxy_ha.packages_installed:
    - pkgs: {{ settings.packages[settings.firewall.backend] | json }}
    # One that begins with its own rules would let no traffic pass until ours are there.
    - units: {{ ([settings.services.firewalld] if settings.firewall.backend == "firewalld" else []) | json }}
    - require:
      - haproxy_ha: haproxy_ha-preflight

haproxy_ha-firewall:
  haproxy_ha.firewall:
    - require:
      - haproxy_ha: haproxy_ha-firewall-package
{% endif %}
