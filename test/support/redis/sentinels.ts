import { join } from 'node:path'
import { readFile, writeFile } from 'node:fs/promises'
import { Redis, type RedisOptions } from 'ioredis'
import type { CertificateFiles } from '../network/certificate.ts'
import { type Child, startChild } from '../process/child.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../network/free-port.ts'
import { tempFolder } from '../process/temp-folder.ts'

export const PRIMARY_NAME = 'jobs'

/** A primary with a replica that has all it has, and three Sentinels that watch them; all real. */
export interface WatchedRedis extends AsyncDisposable {
  readonly sentinels: readonly string[]
  /** Ends the primary without a word. */
  killPrimary(): Promise<void>
  /** The port of the one that the Sentinels name now. */
  primaryPort(): Promise<number>
}

/** All of them speak TLS only and want a certificate; these are the passwords of their default accounts. */
export interface Guard {
  readonly tls: CertificateFiles
  readonly password: string
  readonly sentinelPassword: string
}

export async function startWatchedRedis(guard?: Guard): Promise<WatchedRedis> {
  const folder = await tempFolder('sentinels')
  const started: Child[] = []
  const [primary, replica, ...watching] = await Promise.all(
    Array.from({ length: 5 }, () => freePort()),
  )
  async function start(args: readonly string[]): Promise<Child> {
    const child = await startChild({ command: 'redis-server', args: [...args] })
    started.push(child)
    await child.waitForOutput(/ready to accept connections|Sentinel ID is/i)
    return child
  }
  const common = ['--bind', '127.0.0.1', '--save', '', '--dir', folder.path]
  const guarded = guard === undefined ? [] : passwordSettings(guard)
  const server = [...common, ...guarded]
  const killed = await start([...portSettings(primary, guard?.tls), ...server])
  const follows = ['--replicaof', '127.0.0.1', `${primary}`]
  await start([...portSettings(replica, guard?.tls), ...server, ...follows])
  for (const port of watching) {
    const file = join(folder.path, `${port}.conf`)
    const settings = [
      ...lines(portSettings(port, guard?.tls)),
      `sentinel monitor ${PRIMARY_NAME} 127.0.0.1 ${primary} 2`,
      `sentinel down-after-milliseconds ${PRIMARY_NAME} 1000`,
      `sentinel failover-timeout ${PRIMARY_NAME} 5000`,
      ...(guard === undefined
        ? []
        : [
            `sentinel auth-pass ${PRIMARY_NAME} ${guard.password}`,
            `requirepass ${guard.sentinelPassword}`,
          ]),
    ]
    await writeFile(file, `${settings.join('\n')}\n`)
    await start([file, '--sentinel'])
  }
  const [first = 0] = watching
  const asked = new Redis(first, '127.0.0.1', await loginOf(guard))
  const known = async () => {
    const [facts] = (await asked.call('SENTINEL', 'MASTERS')) as string[][]
    const all = facts ?? []
    const fact = (name: string) => all[all.indexOf(name) + 1]
    return fact('num-slaves') === '1' && fact('num-other-sentinels') === '2'
  }
  await eventually(known, { describe: 'the Sentinels to know each other' })
  return {
    sentinels: watching.map((port) => `127.0.0.1:${port}`),
    async killPrimary() {
      await killed.kill9()
    },
    async primaryPort() {
      const [, port] = (await asked.call(
        'SENTINEL',
        'GET-MASTER-ADDR-BY-NAME',
        PRIMARY_NAME,
      )) as string[]
      return Number(port)
    },
    async [Symbol.asyncDispose]() {
      asked.disconnect()
      for (const child of started.reverse()) await child.kill9()
      await folder[Symbol.asyncDispose]()
    },
  }
}

function portSettings(port = 0, tls?: CertificateFiles): readonly string[] {
  if (tls === undefined) return ['--port', `${port}`]
  return [
    ...['--port', '0', '--tls-port', `${port}`, '--tls-replication', 'yes'],
    ...['--tls-ca-cert-file', tls.caFile],
    ...['--tls-cert-file', tls.certFile, '--tls-key-file', tls.keyFile],
  ]
}

function passwordSettings({ password }: Guard): readonly string[] {
  return ['--requirepass', password, '--masterauth', password]
}

/** Settings of a command line as those of a file. */
function lines(settings: readonly string[]): readonly string[] {
  return settings.join(' ').slice(2).split(' --')
}

async function loginOf(guard: Guard | undefined): Promise<Pick<RedisOptions, 'password' | 'tls'>> {
  if (guard === undefined) return {}
  const { sentinelPassword: password, tls } = guard
  const [ca, cert, key] = await Promise.all(
    [tls.caFile, tls.certFile, tls.keyFile].map((file) => readFile(file)),
  )
  return { password, tls: { ca, cert, key } }
}
