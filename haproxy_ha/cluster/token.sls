# The API token of the floating IP, in a file that only root reads: it is in no cluster configuration.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.preflight

{% if "load_balancer" in settings.roles and settings.floating_ip.needs_token %}
haproxy_ha-cluster-token:
  haproxy_ha.secret_file:
    - name: {{ settings.floating_ip.token_file | json }}
    - secret: api_token
    - require:
      - haproxy_ha: haproxy_ha-preflight
{% endif %}
