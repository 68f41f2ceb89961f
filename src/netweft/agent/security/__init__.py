"""Connection tracking where less is permitted, where addresses change hands, where a port moves."""
