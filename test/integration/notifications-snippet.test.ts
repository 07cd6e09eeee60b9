import { describe, expect, it } from 'vitest'
import { distributionNotifications } from '../../src/webhook/notifications-snippet.ts'
import { startRegistry } from '../support/docker-registry.ts'
import { eventually } from '../support/eventually.ts'
import { buildImage } from '../support/image.ts'
import { pushOverHttp } from '../support/push-over-http.ts'
import { startRecorder } from '../support/recorder.ts'
import { inspectRaw } from '../support/skopeo.ts'

const SECRET = 'it\'s "$host" \\ ${x} #: {}'

describe('distributionNotifications', () => {
  it('makes a registry announce the manifests that are pushed, and nothing else', async () => {
    await using webhook = await startRecorder()
    await using registry = await startRegistry({
      extraConfig: distributionNotifications({
        webhookUrl: webhook.url,
        sourceId: 'edge',
        secret: SECRET,
      }),
    })
    await using image = await buildImage()

    await pushOverHttp(image, { url: registry.url, repository: 'team/app', tag: '1.0' })
    await inspectRaw(`${registry.host}/team/app:1.0`)
    // Deliveries keep their order: the second push comes after all that the pull could have caused.
    await pushOverHttp(image, { url: registry.url, repository: 'team/app', tag: 'last' })

    await eventually(() => webhook.received().some(({ body }) => body.includes('"tag": "last"')))
    const types = webhook.received().map(({ body }) => /"mediaType": "([^"]+)"/.exec(body)?.[1])
    expect(new Set(types)).toEqual(new Set(image.manifests.map(({ mediaType }) => mediaType)))
    const actions = webhook.received().map(({ body }) => /"action": "(\w+)"/.exec(body)?.[1])
    expect(new Set(actions)).toEqual(new Set(['push']))
    expect(webhook.received()[0]).toMatchObject({
      path: '/v1/events/edge',
      headers: { authorization: `Bearer ${SECRET}` },
    })
  })
})
