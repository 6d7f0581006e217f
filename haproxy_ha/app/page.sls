# The tutorial's page, which names the host and its public address (optional).
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.app.package

{% if "app_server" in settings.roles and settings.nginx.page.enabled %}
haproxy_ha-app-page:
  haproxy_ha.page:
    - name: {{ (settings.nginx.page.document_root ~ "/index.html") | json }}
    - require:
      - haproxy_ha: haproxy_ha-app-package
{% endif %}
