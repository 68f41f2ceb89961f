"""Layer 3's refusals, with Neutron's names and words; see `control/errors.py`."""

from netweft.control.errors import BadRequest, Conflict, InvalidInput, NotFound


class BadRouterRequest(BadRequest):
    type = "BadRequest"
    message = "Bad router request: %(reason)s."


class BadFloatingIPRequest(BadRequest):
    type = "BadRequest"
    message = "Bad floatingip request: %(reason)s."


class BadPortRequest(BadRequest):
    type = "BadRequest"
    message = "Bad port request: %(reason)s."


class FloatingIPNotFound(NotFound):
    message = "Floating IP %(id)s could not be found"


class ExternalGatewayForFloatingIPNotFound(NotFound):
    message = (
        "External network %(external_network_id)s is not reachable from subnet %(subnet_id)s.  "
        "Therefore, cannot associate Port %(port_id)s with a Floating IP."
    )


class ExternalIpAddressExhausted(BadRequest):
    message = "Unable to find any IP address on external network %(net_id)s."


class FloatingIPPortAlreadyAssociated(Conflict):
    message = (
        "Cannot associate floating IP %(floating_ip_address)s (%(fip_id)s) with port %(port_id)s "
        "using fixed IP %(fixed_ip)s, as that fixed IP already has a floating IP on external network %(net_id)s."
    )


class FipAssociated(Conflict):
    message = (
        "Unable to complete the operation on port %(port_id)s because the port still has an associated floating IP."
    )


class RouterInterfaceInUseByFloatingIP(Conflict):
    message = (
        "Router interface for subnet %(subnet_id)s on router %(router_id)s cannot be deleted, "
        "as it is required by one or more floating IPs."
    )


class RouterNotFound(NotFound):
    message = "Router %(id)s could not be found"


class RouterInUse(Conflict):
    message = "Router %(router_id)s %(reason)s"


class RouterInterfaceNotFound(NotFound):
    message = "Router %(router_id)s does not have an interface with id %(port_id)s"


class RouterInterfaceNotFoundForSubnet(NotFound):
    message = "Router %(router_id)s has no interface on subnet %(subnet_id)s"


class SubnetMismatchForPort(BadRequest):
    message = "Subnet on port %(port_id)s does not match the requested subnet %(subnet_id)s."


class RouterInterfaceInUseByRoute(Conflict):
    message = (
        "Router interface for subnet %(subnet_id)s on router %(router_id)s cannot be deleted, "
        "as it is required by one or more routes."
    )


class InvalidRoutes(InvalidInput):
    message = "Invalid format for routes: %(routes)s, %(reason)s"

    def __init__(self, routes: object, reason: str) -> None:
        BadRequest.__init__(self, routes=routes, reason=reason)


class RouterExternalGatewayInUseByFloatingIp(Conflict):
    message = (
        "Gateway cannot be updated for router %(router_id)s, since a gateway to external network %(net_id)s "
        "is required by one or more floating IPs."
    )


class UnableToAddExtraGateways(BadRequest):
    message = "Unable to add extra gateways to a router %(router_id)s: %(reason)s."


class UnableToRemoveGateways(BadRequest):
    message = "Unable to remove extra gateways from a router %(router_id)s: %(reason)s."


class UnableToMatchGateways(BadRequest):
    message = "Unable to match a requested gateway port to existing gateway ports for router %(router_id)s: %(reason)s."


class DeviceIDNotOwnedByTenant(Conflict):
    message = "The following device_id %(device_id)s is not owned by your project or matches another project router."


class DeviceGetsNoPorts(Conflict):
    type = "DeviceIDNotOwnedByTenant"
    message = (
        "A port with the device_owner %(device_owner)s comes by way of its router or floating IP: "
        "device_id %(device_id)s cannot be given to a port directly."
    )


class ServicePortInUse(Conflict):
    message = "Port %(port_id)s cannot be deleted directly via the port API: %(reason)s."


class IPAddressChangeNotAllowed(BadRequest):
    message = "IP updates for port %(port_id)s are not allowed"


class PortOnEveryHost(Conflict):
    type = "PortInUse"
    message = "Port %(port_id)s with the device_owner %(device_owner)s is on every host and bound to none."


class GatewayIpInUse(Conflict):
    message = "Current gateway ip %(ip_address)s already in use by port %(port_id)s. Unable to update."


class BadPortForwardingRequest(BadRequest):
    type = "BadRequest"
    message = "Bad port_forwarding request: %(reason)s."


class PortForwardingNotFound(NotFound):
    message = "Port Forwarding %(id)s could not be found."


class PortHasPortForwarding(BadRequest):
    message = "Cannot associate floating IP to port %(port_id)s because it already has a Port Forwarding binding."


class FipInUseByPortForwarding(Conflict):
    message = "Floating IP %(id)s in use by Port Forwarding resources."


class PortHasBindingFloatingIP(Conflict):
    message = (
        "Cannot create port forwarding to floating IP %(floating_ip_address)s (%(fip_id)s) with port %(port_id)s "
        "using fixed IP %(fixed_ip)s, as that port already has a binding floating IP."
    )
