"""Wiring of the server: settings in, one ASGI application and its background tasks out."""
