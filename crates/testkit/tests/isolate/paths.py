# Sends one packet by every way out of a network namespace, each with a token that tells it apart:
#   paths.py PHASE KEEPER6 [only NAME TARGET]
# Prints "sent NAME HEX[,HEX...]" (all of which stand in the frame that leaves) or "skip NAME REASON".
import socket as s
import struct
import sys

phase, keeper6 = int(sys.argv[1]), sys.argv[2]
peer, other, device = "10.77.0.1", "10.77.0.3", "eth0"


def token(name):
    return ("calma-path/%s/%d;" % (name, phase)).encode()


def way(name, send, *patterns):
    patterns = patterns or (token(name).hex(),)
    try:
        send()
        print("sent", name, ",".join(patterns))
    except OSError as error:
        # No such protocol in this kernel: 22, 93, 94, 97, 95. Anything else is what an isolation does.
        if error.errno in (93, 94, 95, 97) and phase == 0:
            print("skip", name, str(error).replace(" ", "-"))
        else:
            print("sent", name, ",".join(patterns))


def datagram(name, to, family=s.AF_INET, length=0):
    def send():
        with s.socket(family, s.SOCK_DGRAM) as one:
            one.setsockopt(s.SOL_SOCKET, s.SO_BROADCAST, 1)
            if name == "multicast4":
                one.setsockopt(s.IPPROTO_IP, s.IP_MULTICAST_IF, s.inet_aton("10.77.0.2"))
            text = token(name)
            one.sendto(text * max(1, length // len(text)), to)
    return send


def raw(name, protocol, to, head=b"", family=s.AF_INET):
    def send():
        with s.socket(family, s.SOCK_RAW, protocol) as one:
            one.sendto(head + token(name), to)
    return send


def stream(name, to, family=s.AF_INET):
    def send():
        with s.socket(family, s.SOCK_STREAM) as one:
            one.settimeout(0.7)
            one.connect(to)
            one.sendall(token(name))
    return send


def opening(port):
    def send():
        with s.socket() as one:
            one.setsockopt(s.SOL_SOCKET, s.SO_REUSEADDR, 1)
            one.setsockopt(s.SOL_SOCKET, s.SO_LINGER, struct.pack("ii", 1, 0))
            one.bind(("", port))
            one.settimeout(0.5)
            try:
                one.connect((other, 7776))
            except ConnectionRefusedError:
                pass
    return send


def frame(name, bypass, protocol=0x88b5, rest=None):
    def send():
        with s.socket(s.AF_PACKET, s.SOCK_RAW) as one:
            if bypass:
                one.setsockopt(263, 20, 1)
            one.bind((device, 0))
            own = one.getsockname()[4]
            one.send(b"\xff" * 6 + own + struct.pack("!H", protocol) + (rest or b"") + token(name).ljust(60, b"\0"))
    return send


def cooked(name):
    def send():
        with s.socket(s.AF_PACKET, s.SOCK_DGRAM) as one:
            one.sendto(token(name).ljust(60, b"\0"), (device, 0x88b6, 0, 0, b"\xff" * 6))
    return send


def joins(family, group):
    def send():
        one = s.socket(family, s.SOCK_DGRAM)
        if family == s.AF_INET:
            one.setsockopt(s.IPPROTO_IP, s.IP_ADD_MEMBERSHIP, s.inet_aton(group) + s.inet_aton("10.77.0.2"))
        else:
            index = struct.pack("=i", s.if_nametoindex(device))
            one.setsockopt(s.IPPROTO_IPV6, s.IPV6_JOIN_GROUP, s.inet_pton(family, group) + index)
        import time
        time.sleep(0.4)
        one.close()
    return send


def kernels(name, kind, protocol, to):
    def send():
        with s.socket(s.AF_INET, kind, protocol) as one:
            one.settimeout(0.5)
            try:
                one.connect(to)
            except (ConnectionRefusedError, TimeoutError):
                pass
    return send


def tunnel(name, to):
    # A peer of a WireGuard device, new in each phase, so that it is called at once (wireguard.h: generic netlink).
    def attribute(kind, value):
        return struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)

    def send():
        with s.socket(s.AF_NETLINK, s.SOCK_RAW, 16) as ask:
            def message(family, command, body):
                ask.send(struct.pack("=IHHII", 20 + len(body), family, 5, 1, 0) + struct.pack("=BBH", command, 1, 0) + body)
                return ask.recv(65536)

            told = message(16, 3, attribute(2, b"wireguard\0"))
            at = told.index(struct.pack("=HH", 6, 1))
            family = struct.unpack_from("=H", told, at + 4)[0]
            endpoint = struct.pack("!2xH4s8x", 51820 + phase, s.inet_aton(other))
            endpoint = struct.pack("=H", s.AF_INET) + endpoint[2:]
            allowed = attribute(1, struct.pack("=H", s.AF_INET)) + attribute(2, s.inet_aton("0.0.0.0")) + attribute(3, b"\0")
            peer = (attribute(1, bytes([phase + 9] * 32)) + attribute(3, struct.pack("=I", 2)) + attribute(4, endpoint)
                    + attribute(0x8000 | 9, attribute(0x8000, allowed)))
            device = (attribute(2, b"wg0\0") + attribute(3, bytes([7] * 32)) + attribute(5, struct.pack("=I", 1))
                      + attribute(0x8000 | 8, attribute(0x8000, peer)))
            answer = message(family, 1, device)
            error = struct.unpack_from("=i", answer, 16)[0]
            if error:
                raise OSError(-error, "WireGuard does not take its peer")
        datagram(name, (to, 9))()
    return send


if len(sys.argv) > 3:
    name, to = sys.argv[4], sys.argv[5]
    if name == "wireguard":
        way(name, tunnel(name, to), "%04x009c" % (51820 + phase))
    else:
        way(name, datagram(name, (to, 9)))
    sys.exit()

scope = s.if_nametoindex(device)
six = lambda address: (address, 9, 0, scope)
echo = lambda kind: struct.pack("!BBHHH", kind, 0, 0, 7, phase)


def summed(kind, name):
    text = echo(kind) + token(name)
    text += b"\0" * (len(text) % 2)
    total = sum(struct.unpack("!%dH" % (len(text) // 2), text))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return struct.pack("!BBHHH", kind, 0, ~total & 0xffff, 7, phase)


way("udp4", datagram("udp4", (other, 9)))
way("udp4-to-kept", datagram("udp4-to-kept", (peer, 9)))
way("dns4", datagram("dns4", (other, 53)))
way("udp6", datagram("udp6", six(keeper6), s.AF_INET6))
way("tcp4", stream("tcp4", (peer, 7777)))
way("syn4", opening(31000 + phase), "%04x%04x" % (31000 + phase, 7776))
way("icmp4", raw("icmp4", 1, (other, 0), summed(8, "icmp4")))
way("icmp6", raw("icmp6", 58, six(keeper6)[:1] + (0, 0, scope), echo(128), s.AF_INET6))
way("fragments4", datagram("fragments4", (other, 9), length=5000))
way("fragments6", datagram("fragments6", six(keeper6), s.AF_INET6, 5000))
way("raw4", raw("raw4", 253, (other, 0)))
way("raw6", raw("raw6", 253, (keeper6, 0, 0, scope), family=s.AF_INET6))
way("sctp4", raw("sctp4", 132, (other, 0), struct.pack("!HHII", 9, 9, 0, 0)))
way("dccp4", raw("dccp4", 33, (other, 0), struct.pack("!HHBBH", 9, 9, 4, 0, 0)))
way("gre4", raw("gre4", 47, (other, 0), struct.pack("!HH", 0, 0x88b5)))
way("ipip4", raw("ipip4", 4, (other, 0)))
way("esp4", raw("esp4", 50, (other, 0)))
way("udplite4", raw("udplite4", 136, (other, 0)))
way("sctp-socket", kernels("sctp-socket", s.SOCK_STREAM, 132, (other, 31100 + phase)), "%04x" % (31100 + phase))
way("dccp-socket", kernels("dccp-socket", 6, 33, (other, 31200 + phase)), "%04x" % (31200 + phase))
way("multicast4", datagram("multicast4", ("224.0.0.251", 5353)))
way("multicast6", datagram("multicast6", six("ff02::fb"), s.AF_INET6))
way("broadcast4", datagram("broadcast4", ("10.77.0.255", 9)))
way("igmp", joins(s.AF_INET, "239.9.9.%d" % (phase + 1)), "ef0909%02x" % (phase + 1))
way("mld", joins(s.AF_INET6, "ff15::dead:f00d:0:%d" % (phase + 1)), "deadf00d0000%04x" % (phase + 1))
way("frame", frame("frame", False))
way("frame-bypass", frame("frame-bypass", True))
way("frame-cooked", cooked("frame-cooked"))
way("frame-arp", frame("frame-arp", True, 0x0806, bytes.fromhex("0001080006040001")))
way("frame-vlan", frame("frame-vlan", True, 0x8100, bytes.fromhex("000588b5")))
way("arp", datagram("arp", ("10.77.0.%d" % (100 + phase), 9)), "0806000108000604", "0a4d00%02x" % (100 + phase))
way("nd", datagram("nd", six("fe80::dead:beef:0:%d" % (phase + 1)), s.AF_INET6), "deadbeef0000%04x" % (phase + 1))
