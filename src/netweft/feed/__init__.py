"""From the change log to each follower: who needs what (relevance), snapshots, deltas, node sessions."""
