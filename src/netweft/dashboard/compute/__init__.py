"""The VMs behind ports, as Nova tells them to who asks: with the user's own token, never with the service's."""
