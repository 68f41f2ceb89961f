"""Refusals, with Neutron's names and words: clients and their tests match on both.

The class name is what the API shows as `type`; the base class says what kind of refusal it is.  No HTTP here.
"""

from typing import Any, ClassVar


class Refused(Exception):
    """A request that cannot be fulfilled.  Nothing was changed."""

    message: ClassVar[str] = "%(reason)s"

    def __init__(self, **values: Any) -> None:
        super().__init__(self.message % values)

    type: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.type = cls.__dict__.get("type", cls.__name__)


class BadRequest(Refused):
    """What was requested makes no sense."""


class NotFound(Refused):
    """It is not there, or not for you."""


class Conflict(Refused):
    """It makes sense, but not with what is there."""


class UsedBy(Conflict):
    """It names who uses it, and whoever may not see that one gets `unseen` instead."""

    unseen: ClassVar[str]

    def __init__(self, *, kind: str, user: str, **values: Any) -> None:
        super().__init__(object_type=kind.removesuffix("s"), object_id=user, **values)
        self.kind, self.user = kind, user
        self.values = values

    def without_name(self) -> Refused:
        told = Conflict(reason=self.unseen % self.values)
        told.type = self.type  # type: ignore[misc]
        return told


class PreconditionFailed(Refused):
    """It is no longer what the caller thinks it is."""


class Exhausted(Refused):
    """There is none left, for now."""


class InvalidInput(BadRequest):
    message = "Invalid input for operation: %(error_message)s."

    def __init__(self, error_message: str) -> None:
        super().__init__(error_message=error_message)


class NetworkNotFound(NotFound):
    message = "Network %(id)s could not be found."


class SubnetNotFound(NotFound):
    message = "Subnet %(id)s could not be found."


class PortNotFound(NotFound):
    message = "Port %(id)s could not be found."


class AgentNotFound(NotFound):
    message = "Agent %(id)s could not be found."


class SecurityGroupNotFound(NotFound):
    message = "Security group %(id)s does not exist"


class SecurityGroupRuleNotFound(NotFound):
    message = "Security group rule %(id)s does not exist"


class RevisionNumberConstraintFailed(PreconditionFailed):
    message = "Constrained to %(expected)s, but current revision is %(current)s"


class OverQuota(Conflict):
    message = "Quota exceeded for resources: %(overs)s."


# networks


class NetworkInUse(Conflict):
    message = "Unable to complete operation on network %(net_id)s. %(reason)s."


class InvalidSharedSetting(Conflict):
    message = "Unable to reconfigure sharing settings for network %(network)s. Multiple tenants are using it."


class NetworkMTUSubnetConflict(Conflict):
    message = "MTU of %(net_id)s is not valid, subnet requires a minimum of %(mtu)s"


class ExternalNetworkInUse(Conflict):
    message = (
        "External network %(net_id)s cannot be updated to be made non-external, since it has existing gateway ports."
    )


# subnets and addresses


class SubnetInUse(Conflict):
    message = "Unable to complete operation on subnet %(subnet_id)s: %(reason)s."


class SubnetPoolRequired(BadRequest):
    message = "Bad subnets request: a subnetpool must be specified in the absence of a cidr."
    type = "BadRequest"


class InvalidAllocationPool(BadRequest):
    message = "The allocation pool %(pool)s is not valid."


class OutOfBoundsAllocationPool(BadRequest):
    message = "The allocation pool %(pool)s spans beyond the subnet cidr %(subnet_cidr)s."


class OverlappingAllocationPools(Conflict):
    message = "Found overlapping allocation pools: %(pool_1)s %(pool_2)s for subnet %(subnet_cidr)s."


class GatewayConflictWithAllocationPools(Conflict):
    message = "Gateway ip %(ip_address)s conflicts with allocation pool %(pool)s."


class InvalidIpForNetwork(BadRequest):
    message = "IP address %(ip_address)s is not a valid IP for any of the subnets on the specified network."


class InvalidIpForSubnet(BadRequest):
    message = "IP address %(ip_address)s is not a valid IP for the specified subnet."


class AllocationOnAutoAddressSubnet(BadRequest):
    message = (
        "IPv6 address %(ip)s can not be directly assigned to a port on subnet %(subnet_id)s "
        "since the subnet is configured for automatic addresses"
    )


class IpAddressGenerationFailure(Conflict):
    message = "No more IP addresses available on network %(net_id)s."


class IpAddressGenerationFailureNoMatchingSubnet(IpAddressGenerationFailure):
    message = (
        "No valid service subnet for the given device owner, network %(network_id)s, service type %(service_type)s."
    )


class InvalidSubnetServiceType(BadRequest):
    message = "Subnet service type %(service_type)s does not correspond to a valid device owner."


class InvalidInputSubnetServiceType(BadRequest):
    message = "Subnet service type %(service_type)s is not a string."


class IpAddressAlreadyAllocated(Conflict):
    message = "IP address %(ip)s already allocated in subnet %(subnet_id)s"


# ports


class AllowedAddressPairExhausted(BadRequest):
    message = "The number of allowed address pair exceeds the maximum %(quota)s."


class DNSNameServersExhausted(BadRequest):
    message = "Unable to complete operation. The number of DNS nameservers exceeds the limit %(quota)s."


class HostRoutesExhausted(BadRequest):
    message = "Unable to complete operation. The number of host routes exceeds the limit %(quota)s."


class MacAddressGenerationFailure(Exhausted):
    message = "Unable to generate unique mac on network %(net_id)s."


class MacAddressInUse(Conflict):
    message = "Unable to complete operation for network %(net_id)s. The mac address %(mac)s is in use."


class PortBound(Conflict):
    message = (
        "Unable to complete operation on port %(port_id)s, port is already bound, "
        "old_mac %(old_mac)s, new_mac %(new_mac)s."
    )


class PortSecurityAndIPRequiredForSecurityGroups(BadRequest):
    message = "Port security must be enabled and port must have an IP address in order to use security groups."


class PortSecurityPortHasSecurityGroup(Conflict):
    message = (
        "Port has security group associated. "
        "Cannot disable port security or IP address until security group is removed."
    )


class AddressPairAndPortSecurityRequired(Conflict):
    message = "Port Security must be enabled in order to have allowed address pairs on a port."


# security groups


class SecurityGroupConflict(Conflict):
    message = "Error %(reason)s while attempting the operation."


class SecurityGroupInUse(Conflict):
    message = "Security Group %(id)s in use."


class SecurityGroupDefaultAlreadyExists(Conflict):
    message = "Default security group already exists."


class SecurityGroupCannotRemoveDefault(Conflict):
    message = "Insufficient rights for removing default security group."


class SecurityGroupCannotUpdateDefault(Conflict):
    message = "Updating default security group not allowed."


class SecurityGroupRuleExists(Conflict):
    message = "Security group rule already exists. Rule id is %(rule_id)s."


class SecurityGroupRuleInvalidEtherType(BadRequest):
    message = "Security group rule for ethertype '%(ethertype)s' not supported. Allowed values are %(values)s."


class SecurityGroupRuleParameterConflict(BadRequest):
    message = "Conflicting value ethertype %(ethertype)s for CIDR %(cidr)s"


class SecurityGroupEthertypeConflictWithProtocol(BadRequest):
    message = "Invalid ethertype %(ethertype)s for protocol %(protocol)s."


class SecurityGroupRuleInvalidProtocol(BadRequest):
    message = (
        "Security group rule protocol %(protocol)s not supported. "
        "Only protocol values %(values)s and integer representations [0 to 255] are supported."
    )


class SecurityGroupProtocolRequiredWithPorts(BadRequest):
    message = "Must also specify protocol if port range is given."


class SecurityGroupInvalidPortRange(BadRequest):
    message = "For TCP/UDP protocols, port_range_min must be <= port_range_max"


class SecurityGroupInvalidPortValue(BadRequest):
    message = "Invalid value for port %(port)s"


class SecurityGroupInvalidIcmpValue(BadRequest):
    message = "Invalid value for ICMP %(field)s (%(attr)s) %(value)s. It must be 0 to 255."


class SecurityGroupMissingIcmpType(BadRequest):
    message = "ICMP code (port-range-max) %(value)s is provided but ICMP type (port-range-min) is missing."


class SecurityGroupInvalidProtocolForPort(BadRequest):
    message = "Invalid protocol %(protocol)s for port range, only supported for %(valid_port_protocols)s."


class SecurityGroupMultipleRemoteEntites(BadRequest):
    message = "Only remote_ip_prefix or remote_group_id or remote_address_group_id may be provided."


class DuplicateSecurityGroupRuleInPost(Conflict):
    message = "Duplicate Security Group Rule in POST."


class SecurityGroupNotSingleGroupRules(BadRequest):
    message = "Only allowed to update rules for one security profile at a time"


class SecurityGroupRulesNotSingleTenant(BadRequest):
    message = "Multiple tenant_ids in bulk security group rule create not allowed"


class DefaultSecurityGroupRuleNotFound(NotFound):
    message = "Default Security Group rule %(id)s does not exist"


class DefaultSecurityGroupRuleExists(Conflict):
    message = "Default Security group rule already exists. Rule id is %(rule_id)s."


class DuplicateDefaultSgRuleInPost(Conflict):
    message = "Duplicate Default Security Group Rule in POST."


class AddressGroupNotFound(NotFound):
    message = "Address group %(id)s could not be found."


class AddressGroupInUse(Conflict):
    message = "Address group %(address_group_id)s is in use on one or more security group rules."


class AddressesNotFound(NotFound):
    message = "Addresses %(addresses)s not found in the address group %(address_group_id)s."


class AddressesAlreadyExist(BadRequest):
    message = "Addresses %(addresses)s already exist in the address group %(address_group_id)s."
