import { BlockList, isIP, isIPv4 } from 'node:net'
import { BAD_PROXY, CodedError } from '../words/coded-error.ts'
import { isLoopback } from '../../config/schema/scalars.ts'
import { bareHost } from './guard.ts'

/** The proxy that a request to this address goes through; none for a direct one. */
export type ProxyFor = (url: URL) => URL | undefined

type Environment = Readonly<Record<string, string | undefined>>

/**
 * What `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` ask for, in lower case too, which goes first. This
 * machine's own loopback is never asked for through a proxy, which would take it for its own.
 * Throws a CodedError, when asked, for what is no address of a proxy.
 */
export function proxyFromEnvironment(env: Environment): ProxyFor {
  const named = (name: string) => env[name.toLowerCase()] ?? env[name] ?? ''
  const isExempt = exemptions(named('NO_PROXY'))
  return (url) => {
    const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
    const text = named(name).trim()
    return text === '' || isExempt(url) ? undefined : parseProxy(name, text)
  }
}

// Without a scheme it is taken for plain http, as everybody does.
function parseProxy(name: string, text: string): URL {
  const address = text.includes('://') ? text : `http://${text}`
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.hostname !== '') return url
  // It may hold a password, so it is not shown.
  throw new CodedError(BAD_PROXY, `${name} is no http:// or https:// address of a proxy`)
}

type Exempt = (host: string, port: string) => boolean

function exemptions(text: string): (url: URL) => boolean {
  const all = text
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map((entry) => exemption(entry.toLowerCase()))
  return (url) => {
    const host = bareHost(url.hostname)
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
    return isLoopback(host) || all.some((exempt) => exempt(host, port))
  }
}

/** `*`, `example.com`, `.example.com`, `*.example.com`, `10.0.0.0/8`, `fd00::/8`, each but the star with `:port`. */
function exemption(entry: string): Exempt {
  if (entry === '*') return () => true
  const [, name = entry, wantedPort] = WITH_PORT.exec(entry) ?? []
  const isHost = hostMatcher(name.replace(/^\[|\]$/g, ''))
  return (host, port) => (wantedPort === undefined || wantedPort === port) && isHost(host)
}

// The colons of a bare IPv6 address begin no port.
const WITH_PORT = /^(\[[^\]]+\]|[^:]+):(\d+)$/

function hostMatcher(name: string): (host: string) => boolean {
  const block = blockOf(name)
  if (block !== undefined) return (host) => isWithin(block, host)
  // A leading dot, or `*.`, means only what is below; a name means itself, too.
  const suffix = name.replace(/^\*?\./, '.').replace(/\.$/, '')
  if (suffix.startsWith('.')) return (host) => host.endsWith(suffix)
  return (host) => host === suffix || host.endsWith(`.${suffix}`)
}

function blockOf(text: string): BlockList | undefined {
  const [address = '', bits, ...more] = text.split('/')
  if (isIP(address) === 0 || more.length > 0) return undefined
  const family = isIPv4(address) ? 'ipv4' : 'ipv6'
  const block = new BlockList()
  if (bits === undefined) block.addAddress(address, family)
  else if (!/^\d{1,3}$/.test(bits) || Number(bits) > (family === 'ipv4' ? 32 : 128))
    return undefined
  else block.addSubnet(address, Number(bits), family)
  return block
}

function isWithin(block: BlockList, host: string): boolean {
  return isIP(host) !== 0 && block.check(host, isIPv4(host) ? 'ipv4' : 'ipv6')
}
