"""What tests run inside a VM: a ping that counts, and raw frames in and out.  Standard library only.

ping ADDRESS            every 10 ms until its stdin closes; then one line of JSON
echo ADDRESS COUNT INTERVAL SIZE   so many, of so many bytes with their IP header, not to be fragmented; then
                                  such a line.  Late is not lost: the ping command waits for two round trips only
send [NIC]              frames from stdin, one a line in hexadecimal, out of eth0
repeat FRAME...         these frames in turn, one each 2 ms, until its stdin closes; then how often each
capture                 says "ready", then prints each frame that comes in at eth0, until its stdin closes
serve PORT              takes one TCP connection, reads to its end, prints what it got as a digest
feed ADDRESS PORT SIZE  sends that many bytes over TCP, prints their digest and the seconds it took
pour PORT               takes one TCP connection, and sends until its stdin closes
greet PORT              takes TCP connections, and sends one byte on each when a line comes in at its stdin
crowd ADDRESS PORT N    N TCP connections; says "here" when they stand, then nothing on them, and how many of
                                  them have got something by then when its stdin closes
mirror PORT             takes TCP connections, and sends back what comes, until its stdin closes
chat ADDRESS PORT N     N TCP connections to a mirror; says "here" when each has had an answer; then for each
                                  line at its stdin says something on each, and prints how many are answered
ask ADDRESS             ARP requests for this address out of eth0, one each 2 ms, until its stdin closes
answers ADDRESS NIC...  which of these NICs ARP replies from this address come in at, one line each time that
                                  it is another one than before, until its stdin closes; then how many there were,
                                  and for how many ms there was none at the longest
hear PORT...            every UDP datagram to these ports, and every ICMP message, that the kernel gives to
                                  sockets: a line each, as {"udp": PORT, "size": N} or {"icmp": TYPE, "size": N};
                                  UDP is answered
say ADDRESS PORT SIZE   one UDP datagram; then the size of the answer, 0 when there is none in a second, or -1
                                  when it is another than the question
pass PORT               takes one TCP connection, and sends each line of its stdin
drink ADDRESS PORT      connects, says nothing, prints how many bytes came in each tenth of a second, and in
                                  the end for how many ms nothing came at the longest, as {"silent_ms": N}
vlan ID MAC ADDRESS/LENGTH MTU   a NIC vlanID on top of eth0, for 802.1Q tag ID, until its stdin closes: what
                                  "ip link add type vlan" does where the kernel knows of 802.1Q
"""

from tests.netns.inside import crowds, datagrams, packets, pings, streams, vlans


def do(*words: str) -> None:
    """Raises SystemExit where there is no such thing to do."""
    match words:
        case ["ping", address]:
            pings.Ping(address).run()
        case ["echo", address, count, interval, size]:
            pings.Ping(address, float(interval), int(size)).run(int(count))
        case ["send", *nic]:
            packets.send(*nic or ["eth0"])
        case ["repeat", *frames]:
            packets.repeat([bytes.fromhex(frame) for frame in frames])
        case ["capture"]:
            packets.capture()
        case ["serve", port]:
            streams.serve(int(port))
        case ["feed", address, port, size]:
            streams.feed(address, int(port), int(size))
        case ["pour", port]:
            streams.pour(int(port))
        case ["hear", *ports]:
            datagrams.hear([int(port) for port in ports])
        case ["say", address, port, size]:
            datagrams.say(address, int(port), int(size))
        case ["refused", address, port]:
            datagrams.refused(address, int(port))
        case ["greet", port]:
            crowds.greet(int(port))
        case ["crowd", address, port, number]:
            crowds.crowd(address, int(port), int(number))
        case ["ask", address]:
            packets.ask(address)
        case ["answers", address, *nics]:
            packets.answers(address, nics)
        case ["mirror", port]:
            crowds.mirror(int(port))
        case ["chat", address, port, number]:
            crowds.chat(address, int(port), int(number))
        case ["pass", port]:
            streams.pass_on(int(port))
        case ["drink", address, port]:
            streams.drink(address, int(port))
        case ["vlan", tag, mac, address, mtu]:
            vlans.vlan(int(tag), mac, address, int(mtu))
        case _:
            raise SystemExit(__doc__)
