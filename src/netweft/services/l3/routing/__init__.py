"""Routes: which next hop a packet gets, and which MAC that has."""
