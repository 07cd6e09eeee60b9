import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { nginxSnippet } from '../../src/webhook/nginx-snippet.ts'
import { startRegistry, type TestRegistry } from '../support/registry/docker-registry.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/network/free-port.ts'
import { buildImage } from '../support/images/image.ts'
import { startNginx, type TestNginx } from '../support/network/nginx.ts'
import { pushImage } from '../support/images/push-image.ts'
import { startRecorder, type Recorder } from '../support/registry/recorder.ts'
import { inspectRaw } from '../support/images/skopeo.ts'

// As hard on nginx's quoting as a secret can be.
const SECRET = 'it\'s "$host" \\ ${x} #;{}'
const ABSENT = `sha256:${'0'.repeat(64)}`

describe('nginx before the local registry', () => {
  it.each(['GET', 'HEAD'])('reports a %s of a missing tag once', async (method) => {
    await using site = await startSite()

    const answer = await ask(site.nginx, method, '/v2/team/my.app/manifests/1.0')

    expect(answer.status).toBe(404)
    const [report] = await eventually(() => site.reports().length > 0 && site.reports())
    expect(report).toEqual({
      repository: 'team/my.app',
      reference: '1.0',
      method,
      id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    })
    const [sent] = site.webhook.received()
    expect(sent).toMatchObject({ method: 'POST', path: '/v1/events/edge' })
    expect(sent?.headers).toMatchObject({
      authorization: `Bearer ${SECRET}`,
      'content-type': 'application/json',
      'user-agent': 'some-client/1.0',
    })
    await site.expectNothingMore(1)
  })

  it("gives the client the registry's own 404", async () => {
    await using site = await startSite()

    const through = await ask(site.nginx, 'GET', '/v2/team/app/manifests/1.0')

    const direct = await ask(site.registry, 'GET', '/v2/team/app/manifests/1.0')
    expect(through.body).toContain('MANIFEST_UNKNOWN')
    expect(through).toEqual(direct)
  })

  it('reports a missing digest', async () => {
    await using site = await startSite()

    await ask(site.nginx, 'GET', `/v2/app/manifests/${ABSENT}`)

    await eventually(() => site.reports().length > 0)
    expect(site.reports()).toMatchObject([{ repository: 'app', reference: ABSENT }])
  })

  it('keeps the credentials of the client to itself', async () => {
    await using site = await startSite()

    await ask(site.nginx, 'GET', '/v2/team/app/manifests/1.0', {
      authorization: 'Basic b3BzOnB3',
      cookie: 'session=1',
    })

    const [sent] = await eventually(
      () => site.webhook.received().length > 0 && site.webhook.received(),
    )
    expect(JSON.stringify(sent)).not.toMatch(/b3BzOnB3|session=1/)
  })

  it('lets pushes, hits and deletes through and reports none of them', async () => {
    await using site = await startSite()
    await using image = await buildImage({ layerBytes: 3_000_000 })

    await pushImage(image, `${site.nginx.host}/team/app:1.0`)
    // Before it pushes a manifest, skopeo may look whether it is there.
    const before = site.reports().length
    const held = await inspectRaw(`${site.nginx.host}/team/app:1.0`)
    const path = `/v2/team/app/manifests/${image.top.digest}`
    const hit = await ask(site.nginx, 'HEAD', path, { accept: image.top.mediaType })
    const deleted = await ask(site.nginx, 'DELETE', path)
    const deletedAgain = await ask(site.nginx, 'DELETE', path)
    const missingBlob = await ask(site.nginx, 'GET', `/v2/team/app/blobs/${ABSENT}`)

    expect(held.bytes).toEqual(image.top.bytes)
    expect([hit, deleted, deletedAgain, missingBlob].map(({ status }) => status)).toEqual([
      ...[200, 202, 404, 404],
    ])
    await site.expectNothingMore(before)
  })

  it.each([
    '/v2/team/App/manifests/1.0',
    '/v2/team//app/manifests/1.0',
    '/v2/team/app%22,%22x%22:%22/manifests/1.0',
    '/v2/team/app/manifests/1.0%22',
    '/v2/team/app/manifests/-1.0',
    '/v2/team/app/manifests/sha256:12',
    `/v2/team/app/manifests/${'t'.repeat(129)}`,
    '/v2/team/app/manifests/',
    '/v2/manifests/1.0',
    '/v2/team/app/tags/list',
    '/other/team/app/manifests/1.0',
  ])('does not report %s', async (path) => {
    await using site = await startSite()

    const answer = await ask(site.nginx, 'GET', path)

    expect(answer.status).toBe((await ask(site.registry, 'GET', path)).status)
    await site.expectNothingMore(0)
  })

  it.each([
    ['away', async () => `http://127.0.0.1:${await freePort()}`],
    ['of a host that refuses', () => Promise.resolve('http://127.0.0.1:1')],
  ])('answers as ever when the webhook is %s', async (_, webhookUrl) => {
    await using site = await startSite({ webhookUrl: await webhookUrl() })

    const through = await ask(site.nginx, 'GET', '/v2/team/app/manifests/1.0')

    expect(through).toEqual(await ask(site.registry, 'GET', '/v2/team/app/manifests/1.0'))
  })

  it('does not wait for a webhook that hangs', async () => {
    let given = false
    await using hanging = await startRecorder((response) => {
      response.once('close', () => (given = true))
    })
    await using site = await startSite({ webhookUrl: hanging.url })

    const through = await ask(site.nginx, 'GET', '/v2/team/app/manifests/1.0')

    expect(through.status).toBe(404)
    // Longer than a moment it would not have been waited for.
    expect(given).toBe(false)
    await eventually(() => hanging.received().length === 1)
  })

  it('answers as ever when the webhook fails', async () => {
    await using failing = await startRecorder((response) => response.writeHead(500).end('no'))
    await using site = await startSite({ webhookUrl: failing.url })

    const through = await ask(site.nginx, 'GET', '/v2/team/app/manifests/1.0')

    expect(through).toEqual(await ask(site.registry, 'GET', '/v2/team/app/manifests/1.0'))
    await eventually(() => failing.received().length === 1)
  })
})

describe('nginxSnippet', () => {
  it('is what the repository shows as an example', async () => {
    const example = await readFile('deploy/nginx/notify-miss.conf', 'utf8')

    const snippet = nginxSnippet({
      registryAddress: '127.0.0.1:5000',
      webhookUrl: 'http://127.0.0.1:8080',
      sourceId: 'edge',
      secret: 'the secret of the source edge',
    })

    expect(example.slice(example.indexOf('upstream'))).toBe(snippet)
  })

  it('verifies nothing less than a name over TLS', () => {
    const snippet = nginxSnippet({
      registryAddress: 'https://registry.example',
      webhookUrl: 'https://pullsync.example:8443/ignored',
      sourceId: 'edge',
      secret: 's',
    })

    expect(snippet).toContain('server registry.example:443;')
    expect(snippet).toContain('proxy_ssl_name registry.example;')
    expect(snippet).toContain('https://pullsync_webhook/v1/events/edge;')
    expect(snippet).toContain('server pullsync.example:8443;')
    expect(snippet).toContain('proxy_ssl_name pullsync.example;')
  })

  it.each(['', 'two\nlines', 'ünsafe'])('refuses a secret that no header can carry', (secret) => {
    const options = { registryAddress: 'r:1', webhookUrl: 'http://p', sourceId: 'edge', secret }

    expect(() => nginxSnippet(options)).toThrow(RangeError)
  })
})

interface Site extends AsyncDisposable {
  readonly registry: TestRegistry
  readonly nginx: TestNginx
  readonly webhook: Recorder
  reports(): readonly unknown[]
  /** A last miss shows that whatever came before it has had its chance. */
  expectNothingMore(than: number): Promise<void>
}

async function startSite(options: { readonly webhookUrl?: string } = {}): Promise<Site> {
  const webhook = await startRecorder()
  const registry = await startRegistry()
  const nginx = await startNginx((port) =>
    nginxSnippet({
      registryAddress: registry.host,
      webhookUrl: options.webhookUrl ?? webhook.url,
      sourceId: 'edge',
      secret: SECRET,
      listen: `127.0.0.1:${port}`,
    }),
  )
  const reports = () => webhook.received().map(({ body }): unknown => JSON.parse(body))
  return {
    ...{ registry, nginx, webhook, reports },
    async expectNothingMore(than) {
      await ask(nginx, 'GET', '/v2/last/manifests/one')
      await eventually(() => JSON.stringify(reports()).includes('"last"'))
      expect(reports()).toHaveLength(than + 1)
    },
    async [Symbol.asyncDispose]() {
      await nginx[Symbol.asyncDispose]()
      await registry[Symbol.asyncDispose]()
      await webhook[Symbol.asyncDispose]()
    },
  }
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly type: string | undefined
}

// Not `fetch`: that would tidy up the path.
async function ask(
  server: { readonly port: number },
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const asked = request(
      {
        ...{ host: '127.0.0.1', port: server.port, method, path, agent: false },
        headers: { 'user-agent': 'some-client/1.0', ...headers },
      },
      (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (body += chunk))
        response.on('end', () => {
          const { statusCode: status = 0 } = response
          resolve({ status, body, type: response.headers['content-type'] })
        })
      },
    )
    asked.once('error', reject)
    asked.end()
  })
}
