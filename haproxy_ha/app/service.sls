# nginx runs, now and after a boot.
{% from "haproxy_ha/map.jinja" import roles, settings with context %}

include:
  - haproxy_ha.app.config

{% if "app_server" in roles %}
haproxy_ha-app-service:
  service.running:
    - name: {{ settings.services.nginx | json }}
    - enable: true
    - require:
      - haproxy_ha: haproxy_ha-app-config
{% endif %}
