import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Duplex } from 'node:stream'

/** As Node's own is: false where the other side will not keep it. */
interface Keeping {
  keepSocketAlive(socket: Duplex): unknown
}
const AGENT: Keeping = HttpAgent.prototype

/**
 * Agents that never use a connection again on which something came that nobody had asked for: it would be taken for
 * the answer to the next request. Node's own throw such bytes away, or keep them for the next one.
 */
export class WaryHttpAgent extends HttpAgent {
  override keepSocketAlive(socket: Duplex): boolean {
    return AGENT.keepSocketAlive.call(this, socket) !== false && watched(socket)
  }

  override reuseSocket(...[socket, request]: Parameters<HttpAgent['reuseSocket']>): void {
    socket.off('data', distrust)
    super.reuseSocket(socket, request)
  }
}

export class WaryHttpsAgent extends HttpsAgent {
  override keepSocketAlive(socket: Duplex): boolean {
    return AGENT.keepSocketAlive.call(this, socket) !== false && watched(socket)
  }

  override reuseSocket(...[socket, request]: Parameters<HttpsAgent['reuseSocket']>): void {
    socket.off('data', distrust)
    super.reuseSocket(socket, request)
  }
}

/** False when something has come already. */
function watched(socket: Duplex): boolean {
  if (socket.readableLength > 0) return false
  socket.on('data', distrust)
  return true
}

function distrust(this: Duplex): void {
  this.destroy()
}
