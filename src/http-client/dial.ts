import { connect, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Dial } from './connection.ts'

const KEEP_ALIVE_MS = 1_000

/** One server, and how it is spoken with. */
export interface Place {
  readonly protocol: string
  readonly host: string
  readonly port: number
}

export function placeOf({ protocol, hostname, port }: URL): Place {
  // A bracketed IPv6 address is no host name.
  const host = hostname.replace(/^\[|\]$/g, '')
  return { protocol, host, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) }
}

/**
 * For many connections to one place: over TLS, each but the first continues a session.
 *
 * @param optionsFor asked for each of them, and may throw
 */
export function dialer(place: Place, optionsFor: () => ConnectionOptions = () => ({})): Dial {
  const { protocol, host, port } = place
  let session: Buffer | undefined
  return (onread) => {
    // The types do not know that TLS takes it, too.
    const all = { ...optionsFor(), host, port, onread }
    if (protocol !== 'https:') return tuned(connect(all))
    const servername = isIP(host) === 0 ? host : ''
    const socket = tuned(connectTls({ servername, ...all, ...(session && { session }) }))
    return socket.on('session', (latest) => (session = latest))
  }
}

/** As Node's agents have it. What stands in between forgets a connection that is silent while the other side works. */
function tuned<S extends Socket>(socket: S): S {
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  return socket
}
