"""Asked from inside a VM: `dns_query.py SERVER NAME TYPE [tcp]` prints the code, then each record that is told."""

import sys

import dns.exception
import dns.message
import dns.query
import dns.rcode

WAIT = 2.0  # seconds


def main(server: str, name: str, kind: str, spoken: str = "udp") -> None:
    ask = dns.query.tcp if spoken == "tcp" else dns.query.udp
    try:
        answer = ask(dns.message.make_query(name, kind), server, timeout=WAIT)
    except (dns.exception.DNSException, OSError, EOFError) as error:
        print(type(error).__name__)
        return
    print(dns.rcode.to_text(answer.rcode()))
    for records in answer.answer:
        print(*sorted(str(one) for one in records), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
