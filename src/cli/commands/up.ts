import type { Command } from 'commander'
import type { Address } from '../../config/config.ts'
import { loadConfig } from '../../config/load-config.ts'
import { deadline } from '../../lifecycle/deadline.ts'
import type { StopSignal } from '../../lifecycle/stop-signal.ts'
import { SpoolsHere } from '../../spool/spools-here.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { Cli } from '../cli.ts'
import { CommandError } from '../command-error.ts'
import { globalOptions } from '../global-options.ts'
import { type OwnRedis, startOwnRedis } from '../redis/own-redis.ts'
import type { Roots } from '../root-options.ts'
import { runUntilStopped } from '../run-until-stopped.ts'
import { longRunning, type LongRunningOptions } from './serve.ts'

export function upCommand(cli: Cli, roots: Roots): Command {
  return longRunning('up')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      await up(cli, command, roots)
    })
}

const EXAMPLES = `
Examples:
  $ pullsync up
  $ pullsync up --config /etc/pullsync/pullsync.yaml --data-dir /var/lib/pullsync`

async function up({ env }: Cli, command: Command, roots: Roots): Promise<void> {
  const { config: configFile, dataDir } = globalOptions(command)
  const { adminListen } = command.opts<LongRunningOptions>()
  await runUntilStopped(async (stop) => {
    const config = await loadConfig(configFile, env)
    const options = { configFile, adminListen, telemetry: await telemetryOf(env) }
    if (config.redis !== undefined) {
      await runTogether(roots, options, stop)
      return
    }
    // Disposed of last: the workers hand back to it what they have not finished.
    await using redis = await startOwnRedis(dataDir, stop.signal)
    await runTogether(roots, { ...options, redis }, stop)
  })
}

// On its own: TypeScript 6.0 does not rewrite the path in a function that has `await using`.
async function telemetryOf(env: NodeJS.ProcessEnv): Promise<Telemetry> {
  const { openTelemetry } = await import('../../telemetry/telemetry.ts')
  return openTelemetry(env)
}

interface Together {
  readonly configFile: string
  readonly telemetry: Telemetry
  readonly adminListen: Address | undefined
  readonly redis?: OwnRedis
}

/** Until they are told to stop; whatever ends before ends the others too. */
async function runTogether(
  roots: Roots,
  { configFile, telemetry, adminListen, redis }: Together,
  stop: StopSignal,
): Promise<void> {
  const [serve, worker] = await Promise.all([roots.serve(), roots.worker()])
  const { signal } = stop
  const spools = new SpoolsHere()
  const common = { configFile, telemetry, signal, spools, ...(redis && { redisUrl: redis.url }) }
  const running = [
    serve({ ...common, ...(adminListen && { adminListen }) }),
    // Without a listener of its own: the one of `serve` tells about the whole process.
    worker(common),
  ].map((root) =>
    root.finally(() => {
      stop.stop('a part of it ended')
    }),
  )
  await Promise.race([allEnded(running), redisGone(redis, stop)])
}

/** Rejects with the first failure, once none is running any more. */
async function allEnded(running: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(running)
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

/** Rejects when it is. What is running cannot end in order then: there is nobody to hand back to. */
async function redisGone(redis: OwnRedis | undefined, stop: StopSignal): Promise<never> {
  const how = await (redis?.died ?? new Promise<never>(() => undefined))
  stop.stop('its Redis is gone')
  deadline({ afterMs: WITHOUT_REDIS_MS })
  throw new CommandError(`redis-server is gone: ${how}`)
}

const WITHOUT_REDIS_MS = 3_000
