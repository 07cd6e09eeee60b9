import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FORMATS, type FormatName } from '../../src/events/formats.ts'
import { distributionNotifications } from '../../src/webhook/notifications/distribution.ts'
import { notificationsSnippet } from '../../src/webhook/notifications/notifications.ts'
import { startRegistry } from '../support/registry/docker-registry.ts'
import { eventually } from '../support/eventually.ts'
import { buildImage } from '../support/images/image.ts'
import { pushOverHttp } from '../support/images/push-over-http.ts'
import { run } from '../support/process/run.ts'
import { startRecorder } from '../support/registry/recorder.ts'
import { inspectRaw } from '../support/images/skopeo.ts'

const SECRET = 'it\'s "$host" \\ ${x} #: {}'

describe('distributionNotifications', () => {
  it('makes a registry announce the manifests that are pushed, and nothing else', async () => {
    await using webhook = await startRecorder()
    await using registry = await startRegistry({
      extraConfig: distributionNotifications({
        webhookUrl: webhook.url,
        sourceId: 'edge',
        secret: SECRET,
        registryAddress: 'http://127.0.0.1:5000',
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

describe('the notifications of the local registry', () => {
  it('tell of pulls, which are the occasion to look whether upstream has moved the tag', async () => {
    await using webhook = await startRecorder()
    await using registry = await startRegistry({
      extraConfig: distributionNotifications({
        ...{ webhookUrl: webhook.url, sourceId: 'edge', secret: SECRET, isLocal: true },
        registryAddress: 'http://127.0.0.1:5000',
      }),
    })
    await using image = await buildImage()

    await pushOverHttp(image, { url: registry.url, repository: 'team/app', tag: '1.0' })
    await inspectRaw(`${registry.host}/team/app:1.0`)

    await eventually(() => webhook.received().some(({ body }) => body.includes('"pull"')))
    const types = webhook.received().map(({ body }) => /"mediaType": "([^"]+)"/.exec(body)?.[1])
    expect(new Set(types)).toEqual(new Set(image.manifests.map(({ mediaType }) => mediaType)))
  })

  it.each([
    ['distribution', /actions: \[(.*)\]/, 'pull, mount', 'mount'],
    ['gitlab', /'actions' => \[(.*)\]/, "'pull', 'mount'", "'mount'"],
  ] as const)('%s: leave out what no registry of this kind need tell', (format, of, ...ignored) => {
    const texts = [false, true].map((isLocal) => snippetOf(format, { isLocal }))

    expect(texts.map((text) => of.exec(text)?.[1])).toEqual(ignored)
  })

  it.each([
    [false, 0],
    [true, 1],
  ])('harbor: ask for pulls where it is the local one: %j', (isLocal, times) => {
    expect(snippetOf('harbor', { isLocal }).match(/"PULL_ARTIFACT"/g) ?? []).toHaveLength(times)
  })
})

const NAMES = Object.keys(FORMATS).filter(isFormatName)
const SENDING = NAMES.filter((name) => name !== 'pull-miss')

describe('notificationsSnippet', () => {
  it.each(SENDING)('says for %s where the events go, and how they are proven', (format) => {
    const text = snippetOf(format, { secret: 'moon-secret' })

    expect(text).toContain('https://pullsync.example/v1/events/edge')
    expect(text.includes('moon-secret')).toBe(format !== 'gar')
    expect(text).not.toMatch(/undefined|\[object/)
  })

  it.each(['harbor', 'quay', 'gitea', 'artifactory'] as const)(
    'gives a command for %s that sends the registry what it needs',
    async (format) => {
      await using registry = await startRecorder()

      const { code, stderr } = await shell(snippetOf(format, { registryAddress: registry.url }))

      expect([code, stderr]).toEqual([0, expect.any(String)])
      const [request] = registry.received()
      expect(request?.headers['content-type']).toBe('application/json')
      const texts = textsIn(JSON.parse(request?.body ?? ''))
      expect(texts.filter((text) => text.startsWith(EVENTS))).toHaveLength(1)
      const told = texts.map((text) => decodeURIComponent(text.replace(/^Bearer |^https.*\//, '')))
      expect(told).toContain(SECRET)
    },
  )

  it.each([
    ['github', 'gh', 'stdin'],
    ['acr', 'az', `Authorization=Bearer ${SECRET}`],
    ['ecr', 'aws', JSON.stringify(SECRET)],
  ] as const)(
    'gives commands for %s in which the secret arrives whole',
    async (format, tool, told) => {
      const recorded = `${tool}() { printf '%s\\n' "$@"; [ -t 0 ] || cat; }`

      const { code, stdout } = await shell(
        `${recorded}\n${snippetOf(format)}\nprintf '%s' "$connection"`,
      )

      expect(code).toBe(0)
      expect(stdout).toContain(EVENTS)
      expect(stdout).toContain(told === 'stdin' ? JSON.stringify(SECRET) : told)
    },
  )

  it('gives a command for CloudEvents that posts one', async () => {
    await using webhook = await startRecorder()

    const { code } = await shell(snippetOf('cloudevents', { webhookUrl: webhook.url }))

    expect(code).toBe(0)
    const [request] = webhook.received()
    const { headers = {}, body = '' } = request ?? {}
    const content = FORMATS.cloudevents.parse({
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, String(value)]),
      ),
      body: Buffer.from(body.replace('sha256:…', `sha256:${'ab'.repeat(32)}`)),
      requestId: 'r',
    })
    expect(content).toMatchObject({
      value: { events: [{ action: 'push', repository: 'team/app', tag: '1.0', id: 'UNIQUE-ID' }] },
    })
    expect(headers.authorization).toBe(`Bearer ${SECRET}`)
  })

  it('prints JSON for zot', () => {
    const text = snippetOf('zot').replace(/^#.*\n/gm, '')

    expect(textsIn(JSON.parse(text))).toContain(SECRET)
  })

  it("prints for Google what the source's token has to say", () => {
    const token = { audience: 'an-audience', email: 'push@lab.example' }

    const text = snippetOf('gar', { token })

    expect(text).toContain("--push-auth-token-audience 'an-audience'")
    expect(text).toContain("--push-auth-service-account 'push@lab.example'")
  })
})

describe('docs/sources', () => {
  it.each(NAMES)('has a page for %s, which the overview names', (name) => {
    expect(readFileSync(`docs/sources/${name}.md`, 'utf8')).toContain(`format: ${name}`)
    expect(readFileSync('docs/sources/README.md', 'utf8')).toContain(`[\`${name}\`](${name}.md)`)
  })

  const pages = SENDING.filter((name) => name !== 'distribution')

  it.each(pages)('has a page for %s that says where its knowledge is from', (name) => {
    const page = readFileSync(`docs/sources/${name}.md`, 'utf8')

    expect(page.replaceAll(/\n> /g, ' ')).toContain('not captured from a running')
  })
})

const EVENTS = 'https://pullsync.example/v1/events/edge'

function snippetOf(
  format: FormatName,
  changes: Partial<Parameters<typeof notificationsSnippet>[0]> = {},
): string {
  return notificationsSnippet({
    format,
    webhookUrl: 'https://pullsync.example',
    sourceId: 'edge',
    secret: SECRET,
    registryAddress: 'https://registry.example',
    ...changes,
  })
}

async function shell(script: string) {
  const { code, stdout, stderr } = await run('sh', ['-c', script])
  return { code, stdout: stdout.toString(), stderr: stderr.toString() }
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(textsIn)
}

function isFormatName(name: string): name is FormatName {
  return Object.hasOwn(FORMATS, name)
}
