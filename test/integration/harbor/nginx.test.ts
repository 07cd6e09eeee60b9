import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { harborNginx } from '../../../src/webhook/harbor-nginx.ts'
import { freePort } from '../../support/network/free-port.ts'
import { startHarbor, type TestHarbor } from '../../support/harbor/harbor.ts'
import type { Account } from '../../support/harbor/state.ts'
import { buildImage, type BuiltImage } from '../../support/images/image.ts'
import { startNginx, type TestNginx } from '../../support/network/nginx.ts'
import { type PullsyncProcess, startPullsync } from '../../support/process/pullsync-process.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { runCli } from '../../support/process/run-cli.ts'
import { skopeo } from '../../support/images/skopeo.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'

/** What Harbor's installer writes for its nginx, with the place where it includes files of others. */
function harborsOwn(port: number, core: string, included: string): string {
  return `
  upstream core { server ${core}; }
  map $http_x_forwarded_proto $x_forwarded_proto {
    default $http_x_forwarded_proto;
    "" $scheme;
  }
  server {
    listen 127.0.0.1:${port};
    server_tokens off;
    client_max_body_size 0;
    include ${included};
    location /v2/ {
      proxy_pass http://core;
      proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $x_forwarded_proto;
      proxy_buffering off;
      proxy_request_buffering off;
    }
    location / {
      proxy_pass http://core;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $x_forwarded_proto;
    }
  }`
}

describe("the file for Harbor's own nginx", () => {
  let folder: TempFolder
  let hq: TestHarbor
  let local: TestHarbor
  let nginx: TestNginx
  let pullsync: PullsyncProcess
  let image: BuiltImage
  let developer: Account
  let gatewayUrl: string
  let config: string

  beforeAll(async () => {
    folder = await tempFolder('nginx-harbor')
    ;[hq, local] = await Promise.all([startHarbor(), startHarbor()])
    for (const each of [hq, local]) each.addProject('team')
    developer = local.addUser('dev', 'developer', 'team')
    image = await buildImage({ layers: 2 })
    const [listen, admin, port] = [await freePort(), await freePort(), await freePort()]
    gatewayUrl = `http://127.0.0.1:${listen}`
    await writeFile(included(), harborNginx('compose', { gatewayUrl, projects: ['team'] }))
    nginx = await startNginx(() => harborsOwn(port, local.host, included()), port)
    const login = ({ name, password }: Account) => `username: ${name}, password: ${password}`
    // The one address that a site knows of its Harbor: clients and pullsync alike.
    config = `
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
trustedProxies: [127.0.0.1]
local: { url: ${nginx.url}, ${login(local.addRobot('pullsync', ['pull', 'push'], 'team'))} }
upstreams: { hq: { url: ${hq.url}, ${login(hq.addRobot('pullsync', ['pull'], 'team'))} } }
projects: [{ name: team, upstream: hq, onMiss: stream }]
`
    const readyUrl = `http://127.0.0.1:${admin}/readyz`
    pullsync = await startPullsync({ args: ['up'], config, readyUrl })
  })

  afterAll(async () => {
    for (const each of [pullsync, nginx, hq, local, image, folder])
      await each[Symbol.asyncDispose]()
  })

  const included = () => join(folder.path, 'harbor.http.pullsync.conf')

  async function publish(tag: string): Promise<void> {
    const credentials = `${hq.admin.name}:${hq.admin.password}`
    await pushOverHttp(image, { url: hq.url, repository: 'team/app', tag, credentials })
  }

  async function pull(host: string, tag: string) {
    const creds = `${developer.name}:${developer.password}`
    return await skopeo([
      ...['copy', '--all', '--src-tls-verify=false', '--src-creds', creds],
      ...[`docker://${host}/team/app:${tag}`, `dir:${join(folder.path, tag)}`],
    ])
  }

  async function localRow(serving: PullsyncProcess) {
    const { stdout } = await serving.run(['check', '--online', '--json'])
    const { online } = JSON.parse(stdout) as { online: { at: string; message: string }[] }
    return online.find(({ at }) => at === `${nginx.url}/team`)?.message
  }

  it("makes the first pull at Harbor's own address work, though the gateway asks there, too", async () => {
    await publish('1.0')

    expect(await pull(nginx.host, '1.0')).toMatchObject({ code: 0 })

    expect(await localRow(pullsync)).toBe('ok, may pull and push')
  })

  it("leaves Harbor's portal, its API and its own answers to Harbor", async () => {
    const before = local.requests.length
    const portal = await fetch(`${nginx.url}/api/v2.0/systeminfo`)
    expect(portal.status).toBe(200)
    expect(local.requests.length).toBe(before + 1)

    const absent = await pull(nginx.host, 'absent')
    expect(absent.code).not.toBe(0)
    expect(absent.stderr).toMatch(/not found/i)
  })

  it('finds out with check --online that a proxy hands over what the gateway asks', async () => {
    const file = harborNginx('compose', { gatewayUrl, projects: ['team'] })
    const looping = join(folder.path, 'looping.conf')
    await writeFile(looping, file.replaceAll(/^.*http_via.*$/gm, ''))
    await nginx.stop()
    await using other = await startNginx(
      () => harborsOwn(nginx.port, local.host, looping),
      nginx.port,
    )

    expect(other.port).toBe(nginx.port)
    expect(await localRow(pullsync)).toMatch(/^local.url leads back to pullsync's own gateway/)
  })

  it("gives Harbor's own 404 while pullsync is away", async () => {
    await publish('2.0')
    await using there = await startNginx(
      () => harborsOwn(nginx.port, local.host, included()),
      nginx.port,
    )
    await pullsync.stop()

    const away = await pull(there.host, '2.0')
    expect(away.code).not.toBe(0)
    expect(away.stderr).toMatch(/not found/i)
  })

  it('is printed whole, without a source', async () => {
    const file = join(folder.path, 'pullsync.yaml')
    await writeFile(file, config)
    const printed = await runCli([
      'print',
      'nginx',
      '--harbor',
      '--url',
      gatewayUrl,
      '--config',
      file,
    ])

    expect(printed).toMatchObject({ code: 0, stderr: '' })
    expect(printed.stdout).toBe(harborNginx('compose', { gatewayUrl, projects: ['team'] }))
  })

  it('has an Ingress with a path for each project, longer than that of Harbor', async () => {
    const file = join(folder.path, 'pullsync.yaml')
    await writeFile(
      file,
      `${config}  - { name: '*', upstream: hq }\n`
        .replace('projects: [', 'projects:\n  - ')
        .replace('onMiss: stream }]', 'onMiss: stream }'),
    )
    const { stdout } = await runCli([
      ...['print', 'nginx', '--harbor', 'ingress', '--url', 'http://pullsync:8080'],
      ...['--config', file],
    ])

    const { kind, spec } = parse(stdout) as { kind: string; spec: { rules: unknown[] } }
    expect(kind).toBe('Ingress')
    expect(spec.rules).toEqual([
      {
        host: 'harbor.example',
        http: {
          paths: [
            {
              path: '/v2/team/',
              pathType: 'Prefix',
              backend: { service: { name: 'pullsync', port: { number: 8080 } } },
            },
          ],
        },
      },
    ])
  })
})
