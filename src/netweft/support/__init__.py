"""What a maintainer needs of a host, in one file, and no secret in it."""
