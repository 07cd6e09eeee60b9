import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  DOCKER_SCHEMA1_SIGNED,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../../src/oci/media-types.ts'
import { eventually } from '../../support/eventually.ts'
import { goProgram, missingProgram } from '../../support/process/go-program.ts'
import { buildImage, type BuiltImage, type ImageOptions } from '../../support/images/image.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import type { RegistryOptions } from '../../support/registry/registry-config.ts'
import { digestAt, type Site, startSite } from '../site.ts'

const IMAGES: Readonly<Record<string, ImageOptions>> = {
  'an OCI index': { platforms: ['linux/amd64'] },
  'an OCI manifest': { index: false },
  'a Docker list': { format: 'docker', platforms: ['linux/amd64'] },
  'a Docker manifest': { format: 'docker', index: false },
}

const EVERYTHING = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(', ')

/** Undefined: no header at all. */
const ACCEPTS: Readonly<Record<string, string | undefined>> = {
  nothing: undefined,
  anything: '*/*',
  'only an index': OCI_INDEX,
  'only an image': OCI_MANIFEST,
  'only what Docker has': `${DOCKER_LIST}, ${DOCKER_MANIFEST}`,
  everything: EVERYTHING,
}

interface Way {
  readonly project: 'team' | 'held'
  readonly method: 'GET' | 'HEAD'
  readonly by: 'tag' | 'digest'
}

const WAYS: readonly Way[] = [
  { project: 'team', method: 'GET', by: 'tag' },
  { project: 'team', method: 'GET', by: 'digest' },
  { project: 'team', method: 'HEAD', by: 'tag' },
  { project: 'held', method: 'GET', by: 'tag' },
  { project: 'held', method: 'GET', by: 'digest' },
  { project: 'held', method: 'HEAD', by: 'tag' },
]

const PROGRAM = goProgram('distribution3')

const REGISTRIES: readonly { readonly name: string; readonly local: RegistryOptions }[] = [
  // That of Debian is of version 2.8.
  { name: 'CNCF distribution 2.8', local: {} },
  {
    name: `CNCF distribution 3${missingProgram('distribution3')}`,
    local: { program: PROGRAM },
  },
]

for (const { name, local } of REGISTRIES) {
  const isMissing = 'program' in local && local.program === undefined
  describe.skipIf(isMissing)(`a first pull of what only upstream has, before ${name}`, () => {
    let site: Site

    beforeAll(async () => {
      site = await startSite({
        local,
        project: `    onMiss: stream
    holdFor: 20s
  - name: held
    upstream: hq
    onMiss: hold
    holdFor: 20s`,
      })
    })

    afterAll(async () => {
      await site[Symbol.asyncDispose]()
    })

    async function firstAndSecond(image: BuiltImage, wish: string, way: Way) {
      const { project, method, by } = way
      const repository = `${project}/${wish.replaceAll(' ', '-')}-${method.toLowerCase()}-${by}`
      await pushOverHttp(image, { url: site.upstream.url, repository, tag: '1.0' })
      const reference = by === 'tag' ? '1.0' : image.top.digest
      const url = `http://${site.gateway}/v2/${repository}/manifests/${reference}`
      const accept = ACCEPTS[wish]
      const first = await ask(url, method, accept)
      // A HEAD that upstream alone could answer has brought nothing.
      expect((await ask(url, 'GET', EVERYTHING)).status).toBe(200)
      await eventually(
        async () => (await digestAt(site.local, `${repository}:${reference}`)) !== undefined,
      )
      return { way, first, second: await ask(url, method, accept) }
    }

    describe.each(Object.keys(IMAGES))('%s', (kind) => {
      let image: BuiltImage

      beforeAll(async () => {
        image = await buildImage({ layers: 1, layerBytes: 100, ...IMAGES[kind] })
      })

      afterAll(async () => {
        await image[Symbol.asyncDispose]()
      })

      it.each(Object.keys(ACCEPTS))(
        'is answered to who accepts %s as it is once it is here',
        async (wish) => {
          const name = `${kind} ${wish}`.toLowerCase()
          const answers = await Promise.all(WAYS.map((way) => firstAndSecond(image, name, way)))
          expect(answers.map(({ way, first }) => ({ way, answer: first }))).toEqual(
            answers.map(({ way, second }) => ({ way, answer: second })),
          )
        },
      )
    })
  })
}

/** All that tells one answer from another, but for the bytes of what is signed anew each time. */
async function ask(url: string, method: string, accept: string | undefined) {
  // Unlike fetch it adds no Accept of its own.
  const asking = request(url, { method, headers: accept === undefined ? {} : { accept } }).end()
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  const bytes = await buffer(answer)
  const type = answer.headers['content-type']
  return {
    status: answer.statusCode,
    type,
    digest: answer.headers['docker-content-digest'],
    ...(type !== DOCKER_SCHEMA1_SIGNED && { body: bytes.toString() }),
  }
}
