import type { Line } from '../../test/support/network/line.ts'
import type { Random } from './random.ts'
import type { Role, Site } from './site.ts'
import { fillDisk } from './small-disk.ts'

/** Something that goes wrong. Resolves with what puts it right again. */
export interface Fault {
  /** Its first word is what it happens to. */
  readonly name: string
  /** At most, in milliseconds; 6,000 unless told. */
  readonly lastsMs?: number
  readonly strike: (random: Random) => Promise<() => Promise<void>>
}

/** Everything that can go wrong at that site. */
export function faultsOf(site: Site): readonly Fault[] {
  return [
    ...[...site.serving, ...site.workers].flatMap(processFaults),
    ...wayFaults('upstream', site.upstreamLine),
    ...wayFaults('local', site.localLine),
    sickness('upstream', site.upstreamLine, { well: site.upstream, sick: site.sick }),
    sickness('local', site.localLine, { well: site.local, sick: site.sick }),
    ...serverFaults('upstream', site.upstream),
    ...serverFaults('local', site.local),
    ...(site.redis === undefined ? [] : redisFaults(site.redis)),
  ]
}

function processFaults(role: Role): readonly Fault[] {
  const end = (name: string, how: (role: Role) => Promise<unknown>): Fault => ({
    name: `${role.name} ${name}`,
    strike: async () => {
      await how(role)
      return () => role.restart()
    },
  })
  return [
    ...suspensions(role),
    end('kill -9', ({ current }) => current.kill9()),
    end('SIGTERM', (told) => told.end()),
  ]
}

/** Longer than any lock or lease: who comes back has lost what it held. */
const OUTLASTS_LOCKS_MS = 25_000

function suspensions(role: Role): readonly Fault[] {
  const { name, redisLine, smallDisk } = role
  const stopped = fault(`${name} SIGSTOP`, () => {
    const { child } = role.current
    child.signal('SIGSTOP')
    return () => {
      child.signal('SIGCONT')
    }
  })
  const cutOff = (line: Line) =>
    fault(`${name} cut off from Redis`, () => {
      line.partition()
      return () => {
        line.release()
      }
    })
  const full = (folder: string): Fault => ({
    name: `${name} has a full disk`,
    strike: () => fillDisk(folder),
  })
  return [
    { ...stopped, lastsMs: OUTLASTS_LOCKS_MS },
    ...(redisLine === undefined ? [] : [{ ...cutOff(redisLine), lastsMs: OUTLASTS_LOCKS_MS }]),
    ...(smallDisk === undefined ? [] : [full(smallDisk)]),
  ]
}

/** One that strikes, and is put right, at once. */
function fault(name: string, strike: (random: Random) => () => void): Fault {
  return {
    name,
    strike: (random) => {
      const putRight = strike(random)
      return Promise.resolve(async () => {
        await Promise.resolve()
        putRight()
      })
    },
  }
}

function wayFaults(name: string, line: Line): readonly Fault[] {
  return [
    fault(`way to ${name} cut`, () => {
      line.cut()
      return () => undefined
    }),
    fault(`way to ${name} stalls`, (random) => {
      line.hold(random.between(0, 4_000_000))
      return () => {
        line.release()
      }
    }),
    fault(`way to ${name} is slow`, (random) => {
      line.slow(random.between(20, 400))
      return () => {
        line.slow(0)
      }
    }),
  ]
}

interface Ends {
  readonly well: { readonly port: number }
  readonly sick: { readonly port: number }
}

function sickness(name: string, line: Line, { well, sick }: Ends): Fault {
  return fault(`${name} answers 503`, () => {
    line.lead(sick.port)
    line.cut()
    return () => {
      line.lead(well.port)
      line.cut()
    }
  })
}

interface Server {
  kill9(): Promise<void>
  stop(): Promise<void>
  start(): Promise<void>
}

function serverFaults(name: string, server: Server): readonly Fault[] {
  const end = (how: string, strike: () => Promise<void>): Fault => ({
    name: `${name} ${how}`,
    strike: async () => {
      await strike()
      return () => server.start()
    },
  })
  return [end('kill -9', () => server.kill9()), end('stopped', () => server.stop())]
}

function redisFaults(redis: NonNullable<Site['redis']>): readonly Fault[] {
  const paused = fault('redis paused', () => {
    redis.pause()
    return () => {
      redis.resume()
    }
  })
  return [...serverFaults('redis', redis), paused]
}
