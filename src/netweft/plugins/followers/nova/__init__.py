"""Nova's event API as a follower of ports: `events` says what is sent, `client` sends it."""
