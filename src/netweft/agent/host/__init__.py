"""What is kept in order on this host: Open vSwitch's rows, bridges and meters, the kernel's links and NICs."""
