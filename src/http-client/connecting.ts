import { isIP, type Socket } from 'node:net'
import type { Place } from './dial.ts'

/** Long enough for Linux to send its first packet three times. */
const WITHIN_MS = 5_000

/** As Linux has it, which says so after two minutes. */
class ConnectTimeoutError extends Error {
  readonly code = 'ETIMEDOUT'
}

/**
 * Ends a socket whose other side does not take the connection for so long: its machine is dead, or what stands
 * before it throws packets away. Names are not looked up in that time: the resolver has limits of its own.
 */
export function connectsSoon(socket: Socket, { host, port }: Place): Socket {
  if (!socket.connecting) return socket
  let timer: NodeJS.Timeout | undefined
  const giveUp = () => {
    if (!socket.connecting) return
    const what = `no connection to ${host}:${port} within ${WITHIN_MS / 1_000} s`
    socket.destroy(new ConnectTimeoutError(what))
  }
  const arm = () => {
    // What has come while the process was busy must have been seen before it is judged.
    timer ??= setTimeout(() => setImmediate(giveUp), WITHIN_MS)
  }
  const disarm = () => {
    clearTimeout(timer)
    socket.off('lookup', arm)
  }
  if (isIP(host) === 0) socket.on('lookup', arm)
  else arm()
  return socket.once('connect', disarm).once('close', disarm)
}
