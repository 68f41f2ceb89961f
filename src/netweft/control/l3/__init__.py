"""Layer 3: routers, their interfaces, routes and gateways."""
