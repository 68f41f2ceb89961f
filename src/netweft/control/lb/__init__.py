"""Load balancers: what Octavia's API makes, changes and takes away, in one transaction each.

A balancer and all below it is one *tree*.  Whoever changes any of it holds the balancer alone, so that what was read of
the tree stays as it is until the transaction ends (decision 0560).
"""
