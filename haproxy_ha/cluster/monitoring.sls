# The cluster's metrics for Prometheus, on the private address (off unless pillar names who may ask for them).
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.cluster.package

{% if "load_balancer" in settings.roles and settings.monitoring.sources %}
haproxy_ha-cluster-monitoring-package:
  haproxy_ha.packages_installed:
    - pkgs: {{ settings.packages.cluster_metrics | json }}
    # By itself it would listen on every address, as root.
    - units: {{ [settings.services.cluster_metrics] | json }}
    - require:
      - haproxy_ha: haproxy_ha-cluster-package

haproxy_ha-cluster-monitoring-unit:
  file.managed:
    - name: {{ settings.paths.cluster_metrics_drop_in }}
    - source: salt://haproxy_ha/files/cluster_metrics.conf.jinja
    - template: jinja
    - context:
        address: {{ settings.me.private_ip | json }}
        port: {{ settings.monitoring.cluster_port | json }}
        sources: {{ settings.monitoring.sources | json }}
    - user: root
    - group: root
    - mode: "0644"
    - makedirs: true
    - require:
      - haproxy_ha: haproxy_ha-cluster-monitoring-package

haproxy_ha-cluster-monitoring:
  haproxy_ha.running:
    - name: {{ settings.services.cluster_metrics | json }}
    - watch:
      - file: haproxy_ha-cluster-monitoring-unit
{% elif "load_balancer" in settings.roles %}
haproxy_ha-cluster-monitoring:
  haproxy_ha.removed:
    - name: monitoring
    - require:
      - haproxy_ha: haproxy_ha-cluster-package
{% endif %}
