# nginx's site and log format: checked by nginx before they are installed, reloaded, confirmed.
{% from "haproxy_ha/map.jinja" import roles with context %}

include:
  - haproxy_ha.app.package

{% if "app_server" in roles %}
haproxy_ha-app-config:
  haproxy_ha.files:
    - name: nginx
    - require:
      - haproxy_ha: haproxy_ha-app-package
{% endif %}
