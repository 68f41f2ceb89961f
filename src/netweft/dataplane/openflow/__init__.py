"""OpenFlow 1.5 as Open vSwitch speaks it: flows as values, their codec, a client and a driver for one bridge."""
