import { BlockList, isIPv4 } from 'node:net'

// IANA's special-purpose registries: what is not reachable, or must not be, from the internet.
const IPV4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8], // unspecified, and on Linux another word for loopback
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carrier-grade NAT; also the metadata address of Alibaba Cloud
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local: the metadata address of most clouds
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
]

const IPV6: readonly (readonly [network: string, prefix: number])[] = [
  ['::', 96], // unspecified, loopback, and IPv4-compatible addresses
  ['64:ff9b:1::', 48], // NAT64 for local use
  ['2002::', 16], // 6to4, abolished: hides an IPv4 address
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
]

const PRIVATE = blockList()

/**
 * True for loopback, private, link-local, carrier-grade NAT, multicast and unspecified addresses of
 * IPv4 and IPv6, also of IPv4 written in IPv6 (mapped, NAT64).
 */
export function isPrivateAddress(address: string): boolean {
  const [plain = address] = address.split('%', 1)
  return PRIVATE.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6')
}

function blockList(): BlockList {
  const list = new BlockList()
  for (const [network, prefix] of IPV6) list.addSubnet(network, prefix, 'ipv6')
  for (const [network, prefix] of IPV4) {
    list.addSubnet(network, prefix, 'ipv4')
    list.addSubnet(`::ffff:${network}`, 96 + prefix, 'ipv6')
    list.addSubnet(`64:ff9b::${network}`, 96 + prefix, 'ipv6')
  }
  return list
}
