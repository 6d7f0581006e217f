"""Pure functions of haproxy_ha: no I/O, no Salt."""
