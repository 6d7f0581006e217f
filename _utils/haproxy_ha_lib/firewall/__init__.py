"""The firewall: which rules a machine has, and their words in ufw and nftables."""
