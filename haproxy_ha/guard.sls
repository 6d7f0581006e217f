# The one state of a minion that is not ready or has no part: every other file includes this one and adds its own states only when all is well.
{% set missing = salt["haproxy_ha.missing"]() if "haproxy_ha.missing" in salt else ["haproxy_ha"] %}

haproxy_ha-settings:
{% if missing %}
{% set remedy = "Modules of haproxy_ha are not on this minion. Run: salt '" ~ opts.id ~ "' saltutil.sync_all" %}
  test.fail_without_changes:
    - name: {{ remedy | json }}
    - comment: {{ (remedy ~ "\nMissing: " ~ missing | join(", ")) | json }}
{% else %}
  haproxy_ha.settings_valid
{% endif %}
