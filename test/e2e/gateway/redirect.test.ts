import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { freePort } from '../../support/network/free-port.ts'
import { skopeo } from '../../support/images/skopeo.ts'
import { type Site, startSite } from '../site.ts'

describe('a gateway that sends clients to the registry for layers', () => {
  let site: Site

  beforeAll(async () => {
    const port = await freePort()
    site = await startSite({
      local: { port },
      // By another name, as clients elsewhere may have it.
      localConfig: `  redirectBlobsTo: http://localhost:${port}`,
      project: '    onMiss: stream',
    })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  it('gives a first pull what is on its way, and a later one the way to it', async () => {
    const image = await site.publish('team/hello:1.0', { layers: 2, layerBytes: 300_000 })
    const pull = (into: string) =>
      skopeo([
        ...['copy', '--all', '--preserve-digests', '--src-tls-verify=false'],
        ...[`docker://${site.gateway}/team/hello:1.0`, `dir:${image.folder}/${into}`],
      ])
    expect(await pull('first')).toMatchObject({ code: 0 })
    expect(await pull('second')).toMatchObject({ code: 0 })

    for (const { digest } of image.blobs) {
      const url = `http://${site.gateway}/v2/team/hello/blobs/${digest}`
      const answer = await fetch(url, { redirect: 'manual' })
      expect(answer.status).toBe(307)
      const location = answer.headers.get('location') ?? ''
      expect(location).toBe(`http://localhost:${site.local.port}/v2/team/hello/blobs/${digest}`)
      expect(digestOf(Buffer.from(await (await fetch(location)).arrayBuffer()))).toBe(digest)
    }
  })

  it('sends nobody away who shows credentials, nor for what is not here', async () => {
    const image = await site.publish('team/login:1.0', { index: false })
    const [blob] = image.blobs
    const url = `http://${site.gateway}/v2/team/login/blobs/${blob?.digest ?? ''}`
    const absent = await fetch(url, { redirect: 'manual' })
    await fetch(`http://${site.gateway}/v2/team/login/manifests/1.0`, {
      headers: { accept: image.top.mediaType },
    })

    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { authorization: 'Basic b3BlbjpzZXNhbWU=' },
    })

    expect([absent.status, answer.status]).toEqual([404, 200])
    expect(digestOf(Buffer.from(await answer.arrayBuffer()))).toBe(blob?.digest)
  })
})
