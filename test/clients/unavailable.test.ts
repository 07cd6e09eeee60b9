import { expect, it } from 'vitest'
import { startedOr, whyNoContainers } from '../support/clients/client.ts'
import { CONTAINERD } from '../support/clients/containerd.ts'
import { DOCKER_ENGINE } from '../support/clients/docker-engine.ts'
import { PODMAN, SKOPEO } from '../support/clients/podman.ts'
import { startScriptedRegistry } from '../support/registry/scripted-registry.ts'

const ANSWERS = {
  404: 'MANIFEST_UNKNOWN',
  429: 'TOOMANYREQUESTS',
  503: 'UNAVAILABLE',
} as const

type Status = keyof typeof ANSWERS

/** Whether the client shows the answer's message, and whether it comes again by itself. */
interface Told {
  readonly shows: readonly Status[]
  readonly comesAgain: readonly Status[]
  /** Not tried: three rounds of five take too long. */
  readonly untried?: Status
}

// As docs/clients.md tells it.
const CLIENTS = [
  { client: SKOPEO, shows: [404, 429], comesAgain: [429] },
  { client: PODMAN, shows: [404, 429], comesAgain: [429], untried: 429 },
  { client: DOCKER_ENGINE, shows: [404, 429], comesAgain: [] },
  { client: CONTAINERD, shows: [], comesAgain: [429] },
] as const satisfies readonly (Told & { client: { name: string } })[]

for (const { client, ...told } of CLIENTS) {
  const { shows, comesAgain, untried }: Told = told
  const without = await whyNoContainers(client)
  it.skipIf(without !== undefined)(
    `${client.name} shows the message of ${shows.join(' and ') || 'no refusal'}, and comes again after ${comesAgain.join(' and ') || 'none'}`,
    async (context) => {
      await using registry = await startScriptedRegistry()
      await using engine = await startedOr((why) => context.skip(why), client.start)
      let status: Status = 404
      registry.script({ path: /manifests/ }, ({ response, request }) => {
        const errors = [{ code: ANSWERS[status], message: 'told for the test' }]
        const body = JSON.stringify({ errors })
        const type = { 'Content-Type': 'application/json', 'Content-Length': body.length }
        response.writeHead(status, { ...type, 'Retry-After': '1' })
        response.end(request.method === 'HEAD' ? undefined : body)
      })
      for (const answer of [404, 429, 503] as const) {
        if (answer === untried) continue
        status = answer
        const before = registry.requests.length

        const { code, output } = await engine.pull(`${registry.host}/team/app:1.0`)

        expect(code).not.toBe(0)
        expect({ status, shows: output.includes('told for the test') }).toEqual({
          status,
          shows: shows.includes(status),
        })
        const looks = registry.requests
          .slice(before)
          .filter(({ path }) => path.includes('/manifests/'))
        const methods = new Set(looks.map(({ method }) => method))
        expect({ status, again: looks.length > methods.size }).toEqual({
          status,
          again: comesAgain.includes(status),
        })
      }
    },
  )
}
