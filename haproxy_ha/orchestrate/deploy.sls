# The whole system in the order in which its tiers depend on each other: salt-run state.orchestrate haproxy_ha.orchestrate.deploy pillar='{target: "*"}'
# The load balancers are set up at the same moment, because each waits for the others to join the cluster. A minion that does not answer ends it before it begins.
{% from "haproxy_ha/orchestrate/ask.jinja" import ask, environment with context %}
{% set targets = salt["pillar.get"]("target", "*") %}
{% set wrong = (ask(targets, "test.ping") | load_json).wrong %}

{% if wrong %}
haproxy_ha-deploy-answers:
  test.fail_without_changes:
    - name: {{ (["Nothing was done:"] + wrong) | join("\n") | json }}
{% else %}
haproxy_ha-deploy-modules:
  salt.function:
    - name: saltutil.sync_all
    - tgt: {{ targets | json }}
    - expect_minions: true
    - kwarg: {saltenv: {{ environment | json }}}

haproxy_ha-deploy-app-servers:
  salt.state:
    - tgt: {{ targets | json }}
    - sls: haproxy_ha.app
    - saltenv: {{ environment | json }}
    - require:
      - salt: haproxy_ha-deploy-modules

haproxy_ha-deploy-all:
  salt.state:
    - tgt: {{ targets | json }}
    - sls: haproxy_ha
    - saltenv: {{ environment | json }}
    - require:
      - salt: haproxy_ha-deploy-app-servers
{% endif %}
