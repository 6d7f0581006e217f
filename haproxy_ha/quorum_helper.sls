# corosync-qnetd on a third machine, whose vote decides which half of a cluster goes on when it is split (off unless pillar names one).
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.preflight

{% if "quorum_helper" in settings.roles %}
{% set helper = settings.quorum_helper[settings.minion_id] %}
haproxy_ha-quorum-helper-package:
  haproxy_ha.packages_installed:
    - pkgs: {{ (settings.packages.quorum_helper + settings.packages.quorum_certificates) | json }}
    - units: {{ [settings.services.quorum_helper] | json }}
    - require:
      - haproxy_ha: haproxy_ha-preflight

haproxy_ha-quorum-helper-options:
  file.managed:
    - names:
      - {{ settings.paths.qnetd_options }}:
        - source: salt://haproxy_ha/files/corosync-qnetd.jinja
      - {{ settings.paths.qnetd_drop_in }}:
        - source: salt://haproxy_ha/files/quorum.service.conf
    - template: jinja
    - context:
        address: {{ settings.me.private_ip | json }}
        port: {{ helper.port | json }}
        tls: {{ settings.cluster.quorum_device.tls | json }}
    - user: root
    - group: root
    - mode: "0644"
    - makedirs: true
    - require:
      - haproxy_ha: haproxy_ha-quorum-helper-package

{% if settings.cluster.quorum_device.tls %}
haproxy_ha-quorum-helper-certificates:
  haproxy_ha.quorum_certificates:
    - name: helper
    - require:
      - haproxy_ha: haproxy_ha-quorum-helper-package
    - watch_in:
      - haproxy_ha: haproxy_ha-quorum-helper-service
{% endif %}

# A restart takes no vote from a cluster that is whole.
haproxy_ha-quorum-helper-service:
  haproxy_ha.running:
    - name: {{ settings.services.quorum_helper | json }}
    - watch:
      - file: haproxy_ha-quorum-helper-options
{% endif %}
