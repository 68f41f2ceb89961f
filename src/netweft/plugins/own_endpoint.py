"""Where this server reaches itself.  Nothing but its settings is asked."""

from netweft.settings import ServerSettings


def address_of(settings: ServerSettings) -> str:
    """`http://HOST:PORT`, from this machine; empty when it listens on unix sockets only."""
    tcp = next((address for address in settings.listen if not address.startswith("unix:")), "")
    host, _, port = tcp.rpartition(":")
    return f"http://{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}" if tcp else ""
