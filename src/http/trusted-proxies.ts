import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'

/** What a request says of its way here, in the names that Node gives its headers. */
export interface Forwarded {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly socket: { readonly remoteAddress?: string | undefined }
}

/** The proxies in front whose word about their clients counts. Nobody else's does. */
export class TrustedProxies {
  readonly #list = new BlockList()

  /** @param networks addresses and CIDR blocks of IPv4 and IPv6, checked before */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', bits] = network.split('/')
      const family = isIPv4(address) ? 'ipv4' : 'ipv6'
      this.#list.addSubnet(address, bits === undefined ? wholeOf(family) : Number(bits), family)
    }
  }

  has(address: string): boolean {
    return isIP(address) !== 0 && this.#list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  }
}

/** Who speaks with us on this connection; IPv4 is written as IPv4, whatever the listener is. */
export function peerAddress({ socket }: Forwarded): string | undefined {
  return socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '')
}

/**
 * The address of the client itself: who speaks with us, or, where that is a trusted proxy, whom it says it speaks
 * for, and so on through the trusted ones. Each proxy has appended its peer, so only what stands to the right of
 * the last trusted word is true; what a client wrote itself stands to the left. Undefined once it has left.
 */
export function clientAddress(request: Forwarded, trusted: TrustedProxies): string | undefined {
  const told = [request.headers['x-forwarded-for'] ?? []].flat().join().split(',')
  let client = peerAddress(request)
  while (client !== undefined && trusted.has(client)) {
    const before = plainAddress(told.pop())
    if (before === undefined) break
    client = before
  }
  return client
}

/** Some proxies add the port, and brackets with it. Undefined for what is no address. */
function plainAddress(text = ''): string | undefined {
  const [, v6, v4] = /^\s*(?:\[([^\]]+)\](?::\d+)?|([\d.]+)(?::\d+)?)\s*$/.exec(text) ?? []
  const address = (v6 ?? v4 ?? text.trim()).replace(/^::ffff:(?=\d+\.)/i, '')
  return isIPv4(address) || isIPv6(address) ? address : undefined
}

function wholeOf(family: 'ipv4' | 'ipv6'): number {
  return family === 'ipv4' ? 32 : 128
}
