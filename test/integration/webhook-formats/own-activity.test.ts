import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { formatsSite, type FormatsSite, IGNORED, OWN_ACCOUNT } from './formats-site.ts'

const OWN_AGENT = 'pullsync/1.2.3 (worker)'

/** What a fixture says about who did it, and what it says when that is pullsync. */
const OWN = [
  ['distribution', 'push-index-tag', 'flight-engineer', OWN_ACCOUNT],
  ['distribution', 'push-index-tag', 'skopeo/1.9.3', OWN_AGENT],
  ['distribution', 'push-manifest-by-digest', 'skopeo/1.9.3', OWN_AGENT],
  ['distribution', 'pull-manifest-tag-head', 'capture-client/1.0', OWN_AGENT],
  ['distribution', 'pull-manifest-tag-head', 'flight-engineer', OWN_ACCOUNT],
  ['distribution', 'pull-manifest-digest', 'capture-client/1.0', OWN_AGENT],
  ['gitlab', 'push-tag-v1', 'flight-engineer', OWN_ACCOUNT],
  ['harbor', 'push-tag-default', 'robot$orbit+ci', OWN_ACCOUNT],
  ['harbor', 'push-tag-cloudevents', 'robot$orbit+ci', OWN_ACCOUNT],
  ['harbor', 'pull-digest-default', 'anonymous', OWN_ACCOUNT],
  ['zot', 'image-updated', 'skopeo/1.9.3', OWN_AGENT],
  ['zot', 'image-updated', '"ci"', JSON.stringify(OWN_ACCOUNT)],
  ['acr', 'push', 'docker/24.0.5', OWN_AGENT],
  ['gitea', 'package-created', 'flight-engineer', OWN_ACCOUNT],
  ['github', 'package-published', 'flight-engineer', OWN_ACCOUNT],
  ['dockerhub', 'push', 'flightengineer', OWN_ACCOUNT],
  ['nexus', 'component-created', 'flight-engineer', OWN_ACCOUNT],
  ['artifactory', 'pushed', 'flight-engineer', OWN_ACCOUNT],
  ['cloudevents', 'structured-pushed', '"ci"', JSON.stringify(OWN_ACCOUNT)],
] as const

describe('the events of every format, through the webhook into the queue', () => {
  let site: FormatsSite

  beforeAll(async () => {
    site = await formatsSite()
  })

  afterAll(() => site[Symbol.asyncDispose]())

  beforeEach(() => site.beginTest())

  it.each(OWN)('%s: %s is dropped where not %j did it but %j', async (...of) => {
    const [format, name, somebody, pullsync] = of
    const source = `local-${format}`
    const before = await site.ignored(source, 'own-activity')
    await site.post(format, name, undefined, source)
    expect(await site.ignored(source, 'own-activity')).toBe(before)
    const made = await site.jobs()

    const answer = await site.post(
      format,
      name,
      (text) => text.replaceAll(somebody, pullsync),
      source,
    )

    expect(answer).toEqual(IGNORED)
    expect(await site.ignored(source, 'own-activity')).toBe(before + 1)
    expect(await site.jobs()).toHaveLength(made.length)
  })

  it('a pull by tag that somebody else made at the local registry is a look upstream', async () => {
    const [format, name] = ['distribution', 'pull-manifest-tag-head'] as const

    // Another repository, because what was looked up lately is not looked up again.
    const ofAnother = (text: string) => text.replaceAll('orbit/probe', 'orbit/looked-at')

    expect(await site.post(format, name, ofAnother, `local-${format}`)).toMatchObject({
      body: { accepted: 1 },
    })
    expect(await site.jobs()).toMatchObject([
      {
        data: { repository: 'orbit/looked-at', trigger: 'revalidate', onlyIfPresent: true },
      },
    ])
  })
})
