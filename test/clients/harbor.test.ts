import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pulled, startedOr, whyNoContainers } from '../support/clients/client.ts'
import { DOCKER_ENGINE } from '../support/clients/docker-engine.ts'
import { PODMAN, SKOPEO } from '../support/clients/podman.ts'
import { LIST_FILES, type RunnableImage, runnableImage } from '../support/clients/runnable-image.ts'
import { freePort } from '../support/network/free-port.ts'
import { startHarbor, type TestHarbor } from '../support/harbor/harbor.ts'
import type { Account } from '../support/harbor/state.ts'
import { buildImage, type BuiltImage } from '../support/images/image.ts'
import { type PullsyncProcess, startPullsync } from '../support/process/pullsync-process.ts'
import { pushOverHttp } from '../support/images/push-over-http.ts'
import { tempFolder } from '../support/process/temp-folder.ts'

const kinds = await Promise.all(
  [SKOPEO, PODMAN, DOCKER_ENGINE].map(async (kind) => ({
    ...{ name: kind.name, kind, start: kind.start },
    whyNot: await whyNoContainers(kind),
  })),
)

/** Harbor sends for tokens to wherever it was asked: here to the gateway, which has nothing but Harbor behind it. */
describe('a gateway directly before Harbor', () => {
  let upstream: TestHarbor
  let harbor: TestHarbor
  let guest: Account
  let content: RunnableImage
  let image: BuiltImage
  let pullsync: PullsyncProcess
  let gateway: string

  beforeAll(async () => {
    ;[upstream, harbor] = await Promise.all([startHarbor(), startHarbor()])
    for (const each of [upstream, harbor]) each.addProject('team')
    guest = harbor.addUser('guest', 'guest', 'team')
    content = await runnableImage()
    image = await buildImage(content.options)
    const [listen, admin] = [await freePort(), await freePort()]
    gateway = `127.0.0.1:${listen}`
    const robots = [
      harbor.addRobot('pullsync', ['pull', 'push'], 'team'),
      upstream.addRobot('pullsync', ['pull'], 'team'),
    ] as const
    pullsync = await startPullsync({
      args: ['up'],
      config: `
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
local: { url: ${harbor.url}, ${login(robots[0])} }
upstreams:
  hq: { url: ${upstream.url}, ${login(robots[1])} }
projects:
  - { name: team, upstream: hq, onMiss: stream }
`,
      readyUrl: `http://127.0.0.1:${admin}/readyz`,
    })
  })

  afterAll(async () => {
    for (const each of [pullsync, image, content, upstream, harbor])
      await each[Symbol.asyncDispose]()
  })

  function login({ name, password }: Account): string {
    return `username: ${name}, password: ${password}`
  }

  describe.each(kinds)('by $name', ({ name, start, whyNot }) => {
    it.skipIf(whyNot !== undefined)(
      'takes a login, and the first pull that goes with it',
      async (context) => {
        const repository = `team/${name.toLowerCase().replace(' ', '-')}`
        const credentials = `${upstream.admin.name}:${upstream.admin.password}`
        await pushOverHttp(image, { url: upstream.url, repository, tag: '1.0', credentials })
        await using client = await startedOr((why) => context.skip(why), start)
        const { name: username, password } = guest
        const of = `${gateway}/${repository}:1.0`

        expect(await client.pull(of, { username, password })).toMatchObject({ code: 0 })

        expect(await client.run(of, LIST_FILES)).toBe(content.files)
        expect(harbor.requests.filter(({ path }) => path.startsWith('/api/'))).toEqual([])
      },
    )
  })

  // Docker Engine's login is part of its pull.
  describe.each(kinds.filter(({ name }) => name !== 'Docker Engine'))(
    'by $name',
    ({ name, whyNot }) => {
      it.skipIf(whyNot !== undefined)('refuses a login with a wrong password', async () => {
        await using folder = await tempFolder('login')
        const logIn = (password: string) =>
          pulled(name, [
            ...['login', '--tls-verify=false', '--authfile', join(folder.path, 'auth.json')],
            ...['--username', guest.name, '--password', password, gateway],
          ])

        expect(await logIn(guest.password)).toMatchObject({ code: 0 })
        expect((await logIn('wrong')).code).not.toBe(0)
      })
    },
  )
})
