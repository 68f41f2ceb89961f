"""FWaaS v2: /v2.0/fwaas/firewall_groups, firewall_policies, firewall_rules."""
