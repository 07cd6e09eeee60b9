import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../support/network/free-port.ts'
import { buildImage } from '../../support/images/image.ts'
import { startNginx, type TestNginx } from '../../support/network/nginx.ts'
import { pushImage } from '../../support/images/push-image.ts'
import { startRecorder } from '../../support/registry/recorder.ts'
import { inspectRaw, skopeo } from '../../support/images/skopeo.ts'
import { digestAt, type Site, startSite } from '../site.ts'

const ANY_INDEX = { accept: 'application/vnd.oci.image.index.v1+json' }

/** The example of the repository, with this site's addresses. */
async function handOver(site: Site, port: number): Promise<string> {
  const example = await readFile('deploy/nginx/hand-over-miss.conf', 'utf8')
  return example
    .replace('127.0.0.1:5000', site.local.host)
    .replace('127.0.0.1:8080', site.gateway)
    .replace('listen 80;', `listen 127.0.0.1:${port};`)
}

describe('nginx that hands misses to the gateway', () => {
  let site: Site
  let nginx: TestNginx
  const answerOf = async (url: string) => {
    const response = await fetch(url, { headers: ANY_INDEX })
    return { status: response.status, body: await response.text() }
  }

  beforeAll(async () => {
    site = await startSite()
    const port = await freePort()
    const text = await handOver(site, port)
    nginx = await startNginx(() => text, port)
  })

  afterAll(async () => {
    await nginx[Symbol.asyncDispose]()
    await site[Symbol.asyncDispose]()
  })

  it('makes the first pull work, byte for byte', async () => {
    const image = await site.publish('team/hello:1.0', { layers: 3 })

    const pulled = await skopeo([
      ...['copy', '--all', '--preserve-digests', '--src-tls-verify=false'],
      ...[`docker://${nginx.host}/team/hello:1.0`, `dir:${image.folder}/pulled`],
    ])

    expect(pulled).toMatchObject({ code: 0 })
    expect((await inspectRaw(`${nginx.host}/team/hello:1.0`)).bytes).toEqual(image.top.bytes)
  })

  it('tells the gateway of the client, and of the name that it knows the registry by', async () => {
    await using gateway = await startRecorder((response) => response.writeHead(404).end())
    const port = await freePort()
    const text = await handOver({ ...site, gateway: new URL(gateway.url).host }, port)
    await using front = await startNginx(() => text, port)

    await fetch(`${front.url}/v2/team/nothing/manifests/1.0`, { headers: ANY_INDEX })

    expect(gateway.received()[0]?.headers).toMatchObject({
      host: front.host,
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
    })
  })

  it.each([
    [429, 429],
    [503, 404],
  ])('makes of a %i of the gateway a %i', async (said, told) => {
    await using gateway = await startRecorder((response) => response.writeHead(said).end())
    const port = await freePort()
    const text = await handOver({ ...site, gateway: new URL(gateway.url).host }, port)
    await using front = await startNginx(() => text, port)

    const { status } = await answerOf(`${front.url}/v2/team/nothing/manifests/1.0`)

    expect(status).toBe(told)
  })

  it("gives the registry's own 404, with why, for what upstream does not have", async () => {
    const path = '/v2/team/nothing/manifests/1.0'

    const here = await answerOf(`${site.local.url}${path}`)
    const { status, body } = await answerOf(`${nginx.url}${path}`)

    expect(status).toBe(here.status)
    expect(errorOf(body)).toMatchObject({ code: errorOf(here.body).code })
    expect(errorOf(body).message).toContain('upstream does not have it either')
  })

  it('asks pullsync nothing about hits and pushes', async () => {
    await using image = await buildImage()
    await pushImage(image, `${nginx.host}/team/pushed:1.0`)
    await site.serve.stop()

    expect((await inspectRaw(`${nginx.host}/team/pushed:1.0`)).bytes).toEqual(image.top.bytes)
    expect(await digestAt(site.local, 'team/pushed:1.0')).toBe(image.top.digest)
  })

  it("answers with the registry's own 404 while pullsync is away", async () => {
    const path = '/v2/team/absent/manifests/1.0'

    expect(await answerOf(`${nginx.url}${path}`)).toEqual(
      await answerOf(`${site.local.url}${path}`),
    )
    expect((await answerOf(`${nginx.url}${path}`)).status).toBe(404)
  })
})

/** The first of the registry's errors. */
function errorOf(body: string): { readonly code: string; readonly message: string } {
  const { errors } = JSON.parse(body) as {
    readonly errors: readonly { readonly code: string; readonly message: string }[]
  }
  const [first] = errors
  if (first === undefined) throw new Error(`no error in ${body}`)
  return first
}
