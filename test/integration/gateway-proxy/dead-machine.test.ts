import { expect, it } from 'vitest'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import { startFront } from '../../support/network/gateway-front.ts'
import { startNetwork, whyNoNetwork } from '../../support/network/network.ts'

const noNetwork = await whyNoNetwork()

it.skipIf(noNetwork !== undefined)(
  'clients are told that the machine of the local registry is dead, long before Linux gives it up',
  async () => {
    await using network = await startNetwork(1)
    using local = new LocalRegistry({ url: new URL(`http://${network.dead}:5000`) })
    const unreachable: string[] = []
    const errors: unknown[] = []
    await using front = await startFront(() => local, unreachable, {
      onUnreachable: (error) => errors.push(error),
    })
    const asked = [
      ['GET', '/v2/'],
      ['GET', '/v2/team/app/manifests/1.0'],
      ['GET', `/v2/team/app/blobs/sha256:${'a'.repeat(64)}`],
      ['GET', '/v2/team/app/tags/list'],
      ['PUT', '/v2/team/app/manifests/1.0'],
    ] as const

    const answers = await Promise.all(
      asked.map(async ([method, path]) => {
        const response = await fetch(front.url + path, {
          method,
          ...(method === 'PUT' && { body: '{}' }),
        })
        return [response.status, await response.json()]
      }),
    )

    const told = { errors: [expect.objectContaining({ code: 'UNAVAILABLE' })] }
    expect(answers).toEqual(asked.map(() => [502, told]))
    expect(errors.map(String)).toEqual(
      asked.map(() => `Error: no connection to ${network.dead}:5000 within 5 s`),
    )
  },
  // Linux sends its first packet again for about 130 s.
  60_000,
)
