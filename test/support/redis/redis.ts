import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CertificateFiles } from '../network/certificate.ts'
import { type Child, lastLines, startChild } from '../process/child.ts'
import { freePort } from '../network/free-port.ts'
import { tempFolder } from '../process/temp-folder.ts'

export interface RedisOptions {
  /** True unless told: without it a restart forgets everything. */
  readonly appendOnly?: boolean
  readonly port?: number
  /** 127.0.0.1 unless told. */
  readonly address?: string
  /** Speaks TLS only, and wants a certificate of its clients by the same authority. */
  readonly tls?: CertificateFiles
  /** Lines of an ACL file, in the place of the default account's rights. */
  readonly accounts?: readonly string[]
}

/** A real Redis on a free port of 127.0.0.1, with a folder of its own. */
export interface TestRedis extends AsyncDisposable {
  readonly url: string
  readonly port: number
  stop(): Promise<void>
  /** Again on the same port and data. */
  start(): Promise<void>
  kill9(): Promise<void>
  /** Keeps its connections and answers nothing, until `resume`. */
  pause(): void
  resume(): void
}

/** Resolves once Redis accepts connections. */
export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const folder = await tempFolder('redis')
  try {
    return await startAt(folder, options.port ?? (await freePort()), options)
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    // Somebody else took the port in the meantime.
    const taken = error instanceof Error && error.message.includes('Address already in use')
    if (taken && options.port === undefined) return await startRedis(options)
    throw error
  }
}

async function startAt(
  folder: AsyncDisposable & { readonly path: string },
  port: number,
  { appendOnly = true, address = '127.0.0.1', tls, accounts }: RedisOptions,
): Promise<TestRedis> {
  let child: Child | undefined
  const aclFile = join(folder.path, 'users.acl')
  if (accounts !== undefined) await writeFile(aclFile, `${accounts.join('\n')}\n`)
  async function start(): Promise<void> {
    child = await startRedisServer([
      ...portSettings(port, tls),
      ...(accounts === undefined ? [] : ['--aclfile', aclFile]),
      ...['--bind', address, '--protected-mode', 'no'],
      ...['--dir', folder.path, '--appendonly', appendOnly ? 'yes' : 'no'],
    ])
  }
  await start()
  return {
    url: `${tls === undefined ? 'redis' : 'rediss'}://${address}:${port}`,
    port,
    start,
    stop: async () => {
      await child?.stop()
    },
    kill9: async () => {
      await child?.kill9()
    },
    pause: () => child?.signal('SIGSTOP'),
    resume: () => child?.signal('SIGCONT'),
    async [Symbol.asyncDispose]() {
      // Nothing in it is worth a graceful end, which a paused one would not come to.
      await child?.kill9()
      await folder[Symbol.asyncDispose]()
    },
  }
}

function portSettings(port: number, tls: CertificateFiles | undefined): readonly string[] {
  if (tls === undefined) return ['--port', String(port)]
  return [
    ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'yes'],
    ...['--tls-ca-cert-file', tls.caFile],
    ...['--tls-cert-file', tls.certFile, '--tls-key-file', tls.keyFile],
  ]
}

async function startRedisServer(settings: readonly string[]): Promise<Child> {
  const args = [...settings, '--save', '', '--daemonize', 'no']
  const child = await startChild({ command: 'redis-server', args })
  try {
    await child.waitForOutput(/ready to accept connections/i)
    return child
  } catch (cause) {
    await child.kill9()
    throw new Error(
      `redis-server ${args.join(' ')} did not start; its last lines:\n${lastLines(child.lines())}`,
      { cause },
    )
  }
}
