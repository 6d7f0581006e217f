# A drill on a pair that is well, while a minion asks through its address: salt-run state.orchestrate haproxy_ha.orchestrate.drill pillar='{source: client, url: "http://203.0.113.10/", limit: 1}'
# More of it: kinds ([failover, kill, reboot]), seconds, interval, expected, verify, tgt; salt-run sys.doc haproxy_ha.drill explains each.
{% set keys = ["source", "url", "kinds", "limit", "seconds", "interval", "expected", "verify", "tgt", "tgt_type", "timeout"] %}
haproxy_ha-drill:
  salt.runner:
    - name: haproxy_ha.drill
{% for key in keys if key in pillar %}
    - {{ key }}: {{ pillar[key] | json }}
{% endfor %}
