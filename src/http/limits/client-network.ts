import { isIPv6 } from 'node:net'

/** Of whom addresses are counted as one: whoever has one address of IPv6 has its network of 64 bits. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const [before = '', after] = address.split('::')
  const groups = before === '' ? [] : before.split(':')
  const rest = after === undefined ? [] : after.split(':').filter((group) => group !== '')
  const zeros = new Array<string>(Math.max(8 - groups.length - rest.length, 0)).fill('0')
  return [...groups, ...zeros, ...rest]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}
