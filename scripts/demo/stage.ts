import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startRegistry, type TestRegistry } from '../../test/support/registry/docker-registry.ts'
import { freePort } from '../../test/support/network/free-port.ts'
import { type BuiltImage, buildImage } from '../../test/support/images/image.ts'
import { startNginx, type TestNginx } from '../../test/support/network/nginx.ts'
import {
  type PullsyncProcess,
  runPullsync,
  startPullsync,
} from '../../test/support/process/pullsync-process.ts'
import type { Started } from '../../test/support/process/started.ts'
import { tempFolder } from '../../test/support/process/temp-folder.ts'
import { indented, type Narrator } from './narrator.ts'

/** Everything that the demo plays on, all of it on this machine. */
export interface Stage {
  readonly folder: string
  readonly upstream: TestRegistry
  /** The slow line over which pullsync reaches the upstream. */
  readonly line: TestNginx
  readonly local: TestRegistry
  /** Where clients pull: before the local registry. */
  readonly nginx: TestNginx
  readonly pullsync: PullsyncProcess
  readonly adminUrl: string
  readonly dashboardUrl: string
  /** `--config … --data-dir …`, as a command of its own needs them. */
  readonly cliOptions: readonly string[]
  /** A small image that nobody has yet. */
  readonly sample: BuiltImage
}

interface Ports {
  readonly pullsync: number
  readonly admin: number
  readonly upstream: number
  readonly line: number
  readonly local: number
}

/** Starts it all. Whatever has been started is in `started`, also when something else then fails. */
export async function setStage(narrator: Narrator, started: Started): Promise<Stage> {
  narrator.chapter('An edge site: a local registry, and an upstream behind a slow line')
  const { path: folder } = await started.add(tempFolder('demo'))
  const ports = await choosePorts()
  const configFile = join(folder, 'pullsync.yaml')
  const config = configuration(ports)
  await writeFile(configFile, config)
  narrator.say(`  pullsync's whole configuration, ${configFile}:\n`)
  narrator.say(indented(config.trimEnd()))

  const print = (...args: string[]) => printed(narrator, configFile, args)
  const [fromUpstream, fromLocal, fromNginx] = [
    await print('notifications', 'hq-push'),
    await print('notifications', 'edge'),
    await print('nginx', 'edge-misses'),
  ]
  const [upstream, local, nginx, line] = await Promise.all([
    started.add(startRegistry({ port: ports.upstream, extraConfig: fromUpstream })),
    started.add(startRegistry({ port: ports.local, extraConfig: fromLocal })),
    started.add(startNginx((port) => fromNginx.replace('listen 80;', `listen 127.0.0.1:${port};`))),
    started.add(startNginx(() => slowLine(ports), ports.line)),
  ])
  const adminUrl = `http://127.0.0.1:${ports.admin}`
  const cliOptions = ['--config', configFile, '--data-dir', join(folder, 'data')]
  const pullsync = await narrator.see('pullsync is up, with a Redis of its own', () =>
    started.add(
      startPullsync({
        args: ['up', ...cliOptions.slice(2)],
        config: { file: configFile },
        readyUrl: `${adminUrl}/readyz`,
      }),
    ),
  )
  const sample = await started.add(buildImage())
  return {
    ...{ folder, upstream, line, local, nginx, pullsync, adminUrl, cliOptions, sample },
    dashboardUrl: `${adminUrl}/dashboard`,
  }
}

async function choosePorts(): Promise<Ports> {
  return {
    pullsync: await freePort(),
    admin: await freePort(),
    upstream: await freePort(),
    line: await freePort(),
    local: await freePort(),
  }
}

function configuration(ports: Ports): string {
  const secret = () => randomBytes(16).toString('hex')
  return `listen: 127.0.0.1:${ports.pullsync}
admin: { listen: 127.0.0.1:${ports.admin} }
local: { url: http://127.0.0.1:${ports.local} }
upstreams:
  hq: { url: http://127.0.0.1:${ports.line} }
projects:
  - { name: team, upstream: hq }
sources:
  edge: { format: distribution, registry: local, secret: ${secret()} }
  edge-misses: { format: pull-miss, registry: local, secret: ${secret()} }
  hq-push: { format: distribution, registry: hq, secret: ${secret()} }
jobs: { attempts: 3, backoff: 500ms }
`
}

/** What pullsync says that a registry or nginx should be told, which they then really are. */
async function printed(
  narrator: Narrator,
  configFile: string,
  args: readonly string[],
): Promise<string> {
  const shown = ['print', ...args, '--with-secrets']
  narrator.command(`pullsync ${shown.join(' ')}`)
  const { code, stdout, stderr } = await runPullsync([...shown, '--config', configFile])
  if (code !== 0) throw new Error(`pullsync ${shown.join(' ')} ended with code ${code}: ${stderr}`)
  return stdout
}

// Slow enough to watch a copy: 1 MiB/s for each connection.
function slowLine({ line, upstream }: Ports): string {
  return `
server {
  listen 127.0.0.1:${line};
  location / {
    proxy_pass http://127.0.0.1:${upstream};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    limit_rate 1m;
  }
}`
}
