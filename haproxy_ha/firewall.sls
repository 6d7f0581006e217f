# The host's firewall opens exactly what this minion serves (off by default).
{% set settings = salt["haproxy_ha.rendered"](saltenv) if "haproxy_ha.rendered" in salt else {"roles": []} %}

include:
  - haproxy_ha.preflight

{% if settings.roles and settings.firewall.enabled %}
haproxy_ha-firewall-package:
  haproxy_ha.packages_installed:
    - pkgs: {{ settings.packages.firewall[settings.firewall.backend] | json }}
    - require:
      - haproxy_ha: haproxy_ha-preflight

haproxy_ha-firewall:
  haproxy_ha.firewall:
    - require:
      - haproxy_ha: haproxy_ha-firewall-package
{% endif %}
