"""Use cases of FWaaS v2: firewall groups, the policies they name, the rules that policies are made of."""
