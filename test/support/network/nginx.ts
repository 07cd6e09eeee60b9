import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Child, lastLines, startChild } from '../process/child.ts'
import { eventually, Hopeless } from '../eventually.ts'
import { freePort } from './free-port.ts'
import { tempFolder } from '../process/temp-folder.ts'

/** A real nginx on a port of 127.0.0.1. */
export interface TestNginx extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** The latest lines of its error log. */
  output(): readonly string[]
  stop(): Promise<void>
  /** Again on the same port. */
  start(): Promise<void>
}

/**
 * Resolves once nginx answers.
 * @param renderHttp what stands inside `http {}`, for a server that listens on 127.0.0.1 at this port
 * @param given a port; a free one unless told
 */
export async function startNginx(
  renderHttp: (port: number) => string,
  given?: number,
): Promise<TestNginx> {
  const port = given ?? (await freePort())
  const folder = await tempFolder('nginx')
  let child: Child | undefined
  async function start(): Promise<void> {
    child = await startAt(folder.path)
  }
  try {
    await writeFile(join(folder.path, 'nginx.conf'), nginxConfig(folder.path, renderHttp(port)))
    await start()
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    throw error
  }
  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    port,
    output: () => child?.lines() ?? [],
    start,
    stop: async () => {
      await child?.stop()
    },
    async [Symbol.asyncDispose]() {
      await child?.stop()
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function startAt(folder: string): Promise<Child> {
  await rm(join(folder, 'nginx.pid'), { force: true })
  const child = await startChild({
    command: 'nginx',
    args: ['-c', join(folder, 'nginx.conf'), '-p', folder, '-e', 'stderr'],
  })
  try {
    await listens(child, folder)
    return child
  } catch (error) {
    await child.stop()
    throw error
  }
}

// nginx writes its process id once it has bound its port, and ends when it cannot bind it.
async function listens(child: Child, folder: string): Promise<void> {
  try {
    await eventually(
      async () => {
        if (child.exit() !== undefined) throw new Hopeless('it ended')
        return (await readFile(join(folder, 'nginx.pid'), 'utf8')).trim() !== ''
      },
      { describe: 'nginx to bind its port' },
    )
  } catch (cause) {
    throw new Error(`nginx did not start; its last lines:\n${lastLines(child.lines())}`, { cause })
  }
}

// One process, so that a killed one leaves no workers behind, and nothing outside the folder.
function nginxConfig(folder: string, http: string): string {
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/client-body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
${http}
}
`
}
