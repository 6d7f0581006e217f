"""The Pacemaker cluster of the load balancers: its objects, and how it stands."""
