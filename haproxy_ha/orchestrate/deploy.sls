# The whole system in the order in which its tiers depend on each other: salt-run state.orchestrate haproxy_ha.orchestrate.deploy pillar='{target: "*"}'
# The load balancers are set up at the same moment, because each waits for the others to join the cluster.
{% set targets = salt["pillar.get"]("target", "*") %}

haproxy_ha-deploy-modules:
  salt.function:
    - name: saltutil.sync_all
    - tgt: {{ targets | json }}

haproxy_ha-deploy-app-servers:
  salt.state:
    - tgt: {{ targets | json }}
    - sls: haproxy_ha.app
    - require:
      - salt: haproxy_ha-deploy-modules

haproxy_ha-deploy-all:
  salt.state:
    - tgt: {{ targets | json }}
    - sls: haproxy_ha
    - require:
      - salt: haproxy_ha-deploy-app-servers
