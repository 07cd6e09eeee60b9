import { createConnection, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import { AbstractConnector } from 'ioredis'
import type { Address } from '../../config/config.ts'
import { type NodeLogin, primaryKnownTo } from './primary.ts'

export interface ClusterNodes {
  /** As many as are named; one that answers is enough. */
  readonly nodes: readonly Address[]
  readonly login: NodeLogin
  /** Before that round of questions, in milliseconds. */
  readonly pauseBefore: (round: number) => number
}

type Tell = (type: string, error: Error) => void

const DISCONNECT_WITHIN_MS = 2_000

/** For ioredis: connects to the one node of a cluster that has pullsync's keys now. */
export function primaryConnector(cluster: ClusterNodes) {
  return class extends AbstractConnector {
    #asking = new AbortController()
    /** Who is asked first: the next one each time, for one that is cut off tells what was. */
    #first = 0

    constructor() {
      super(DISCONNECT_WITHIN_MS)
    }

    override async connect(tell: Tell): Promise<Socket> {
      this.connecting = true
      this.#asking = new AbortController()
      const nodes = [...cluster.nodes.slice(this.#first), ...cluster.nodes.slice(0, this.#first)]
      this.#first = (this.#first + 1) % nodes.length
      const { host, port } = await findPrimary({ ...cluster, nodes }, tell, this.#asking.signal)
      const { tls } = cluster.login
      this.stream =
        tls === undefined ? createConnection({ host, port }) : connect({ ...tls, host, port })
      this.stream.once('error', (error: Error) => {
        this.firstError = error
      })
      return this.stream
    }

    override disconnect(): void {
      this.#asking.abort()
      super.disconnect()
    }

    /** A node that became a replica in the meantime is left again. */
    override check({ role }: { readonly role?: string }): boolean {
      return role === undefined || role === 'master'
    }
  }
}

/** Asks round after round, and tells after each that was in vain; rejects with the signal's reason. */
async function findPrimary(
  { nodes, login, pauseBefore }: ClusterNodes,
  tell: Tell,
  signal: AbortSignal,
): Promise<Address> {
  for (let round = 1; ; round += 1) {
    const failures: Error[] = []
    for (const node of nodes) {
      try {
        const primary = await primaryKnownTo(node, login)
        signal.throwIfAborted()
        return primary
      } catch (cause) {
        signal.throwIfAborted()
        failures.push(failureAt(node, cause))
      }
    }
    tell('error', noneTells(failures))
    await delay(pauseBefore(round), undefined, { signal })
  }
}

function failureAt({ host, port }: Address, cause: unknown): Error {
  return new Error(`${host}:${port}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
  })
}

function noneTells(failures: readonly Error[]): Error {
  const all = failures.map(({ message }) => message).join('; ')
  return new Error(`no node of the Redis Cluster says where pullsync's keys are (${all})`, {
    cause: failures[0],
  })
}
