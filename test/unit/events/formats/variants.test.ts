import { describe, expect, it } from 'vitest'
import { FORMATS, type FormatName } from '../../../../src/events/formats.ts'
import { deliveryOf, readFixture } from '../../../fixtures/read-fixtures.ts'

const A = `sha256:${'a1'.repeat(32)}`
const OTHER = `sha256:${'c3'.repeat(32)}`

describe('harbor', () => {
  it.each([
    [{ repo_full_name: '' }, 'orbit/deep/probe'],
    [{ repo_full_name: '', namespace: '' }, 'deep/probe'],
    [{ repo_full_name: 'full/name' }, 'full/name'],
  ])('names the repository of %j %s', (changes, repository) => {
    const read = reading('harbor', 'push-tag-default', (body) => {
      Object.assign(at(body, 'event_data', 'repository'), changes)
    })

    expect(read.events).toMatchObject([{ repository }])
  })

  it('reads every resource', () => {
    const read = reading('harbor', 'push-tag-default', (body) => {
      at(body, 'event_data')['resources'] = [{ tag: 'a', digest: A }, 7, { tag: 'b' }, {}]
    })

    expect(read.events).toMatchObject([{ tag: 'a', digest: A }, { tag: 'b' }])
    expect(read.dropped).toEqual(['incomplete', 'incomplete'])
  })

  it('gives repetitions the same id, and other deliveries another', () => {
    const id = (occurAt: number) =>
      reading('harbor', 'push-tag-default', (body) => (body['occur_at'] = occurAt)).events[0]?.id

    expect(id(1)).toBe(id(1))
    expect(id(1)).not.toBe(id(2))
  })
})

describe('artifactory', () => {
  it('takes no hash of another file for the digest', () => {
    const read = reading('artifactory', 'pushed', (body) => {
      at(body, 'data')['name'] = 'sha256__c3'
    })

    expect(read.events).toMatchObject([{ tag: '2.4' }])
    expect(read.events[0]).not.toHaveProperty('digest')
  })
})

describe('zot', () => {
  it('ignores what says that it is no manifest', () => {
    const read = reading('zot', 'image-updated', (body) => (body['mediaType'] = 'text/plain'))

    expect(read).toMatchObject({ events: [], dropped: ['blob'] })
  })

  it('believes the digest in the place of the tag before the other one', () => {
    const read = reading('zot', 'image-updated', (body) => {
      body['reference'] = OTHER
    })

    expect(read.events).toMatchObject([{ digest: OTHER }])
  })
})

describe('github', () => {
  it.each([
    ['CONTAINER', 'docker', true],
    ['docker', 'container', true],
    ['CONTAINER', null, true],
    ['', 'CONTAINER', true],
    ['docker', 'npm', false],
    ['', undefined, false],
  ])('takes a package of ecosystem %j and type %j for a container: %j', (ecosystem, type, is) => {
    const read = reading('github', 'package-published', (body) => {
      Object.assign(at(body, 'package'), { ecosystem, package_type: type })
    })

    expect([read.events.length, read.dropped]).toEqual(is ? [1, []] : [0, ['other-artifact']])
  })

  it('reads a name from an address with another host, port and case', () => {
    const read = reading('github', 'package-published', (body) => {
      const url = 'https://CONTAINERS.Lab.Example:8443/Orbit/Deep/Probe:2.4'
      at(body, 'package', 'package_version')['package_url'] = url
    })

    expect(read.events).toMatchObject([{ repository: 'orbit/deep/probe', tag: '2.4' }])
  })
})

describe('ecr', () => {
  it('takes nothing for replicated that was not', () => {
    const read = reading('ecr', 'replicated', (body) => {
      at(body, 'detail')['result'] = 'FAILURE'
    })

    expect(read).toMatchObject({ events: [], dropped: ['failed-there'] })
  })
})

describe('what senders write for "not there"', () => {
  it.each([
    ['harbor', 'push-tag-default', ['event_data', 'resources', '0', 'tag']],
    ['zot', 'image-updated', ['reference']],
    ['acr', 'push', ['target', 'tag']],
    ['ecr', 'push', ['detail', 'image-tag']],
    ['artifactory', 'pushed', ['data', 'tag']],
  ] as const)('%s: no tag, null and "" are the same', (format, name, path) => {
    const read = [undefined, null, ''].map((tag) =>
      reading(format, name, (body) => {
        at(body, ...path.slice(0, -1))[path.at(-1) ?? ''] = tag
      }),
    )

    for (const { events, dropped } of read) {
      expect(dropped).toEqual([])
      expect(events).toMatchObject([{ action: 'push', digest: A }])
      expect(events[0]).not.toHaveProperty('tag')
    }
  })

  it.each([
    ['harbor', 'push-tag-default', ['event_data', 'resources', '0', 'digest']],
    ['zot', 'image-updated', ['digest']],
    ['acr', 'push', ['target', 'digest']],
    ['ecr', 'push', ['detail', 'image-digest']],
    ['artifactory', 'pushed', ['data', 'sha256']],
  ] as const)('%s: no digest, null and "" are the same', (format, name, path) => {
    const read = [undefined, null, ''].map((digest) =>
      reading(format, name, (body) => {
        at(body, ...path.slice(0, -1))[path.at(-1) ?? ''] = digest
      }),
    )

    for (const { events, dropped } of read) {
      expect(dropped).toEqual([])
      expect(events).toMatchObject([{ action: 'push', tag: '2.4' }])
      expect(events[0]).not.toHaveProperty('digest')
    }
  })
})

describe('quay', () => {
  it('reads every tag, and none that is none', () => {
    const read = reading('quay', 'repo-push', (body) => {
      body['updated_tags'] = ['a', null, 'b', 7, '-x', ['c'], '']
    })

    expect(read.events).toMatchObject([{ tag: 'a' }, { tag: 'b' }])
    expect(read.dropped).toEqual([
      ...['incomplete', 'invalid-name', 'invalid-name', 'invalid-name', 'incomplete'],
    ])
  })
})

describe('cloudevents', () => {
  it('is structured by its content type, whatever headers there are', () => {
    const fixture = readFixture('structured-pushed', 'cloudevents')
    const headers = { ...fixture.headers, 'ce-type': 'example.coffee.made', 'ce-id': 'x' }

    const content = FORMATS.cloudevents.parse(deliveryOf({ ...fixture, headers }))

    expect(content).toMatchObject({ value: { events: [{ action: 'push', id: 'ev-2' }] } })
  })

  it('decodes what is percent-encoded in headers', () => {
    const { headers } = readFixture('binary-pushed', 'cloudevents')
    const encoded = { ...headers, 'ce-subject': 'orbit%2Fprobe%3A2.4', 'ce-id': '50%25' }

    const content = FORMATS.cloudevents.parse(deliveryOf({ headers: encoded, body: '' }))

    expect(content).toMatchObject({
      value: { events: [{ repository: 'orbit/probe', tag: '2.4', id: '50%' }] },
    })
  })
})

describe('distribution 3.x', () => {
  it('may list what an index refers to', () => {
    const read = reading('gitlab', 'push-tag-v2', (body) => {
      const [event] = body['events'] as [Record<string, unknown>]
      event['id'] = '01890a5d-ac96-774b-bcce-b302099a8057'
      at(event, 'target')['references'] = [{ mediaType: 'application/x', digest: OTHER, size: 1 }]
    })

    expect(read.events).toMatchObject([
      { tag: '2.4', digest: A, id: '01890a5d-ac96-774b-bcce-b302099a8057' },
    ])
  })
})

type Body = Record<string, unknown>

/** What the format makes of a fixture with something changed in its body. */
function reading(format: FormatName, name: string, change: (body: Body) => unknown) {
  const fixture = readFixture(name, format)
  const body = JSON.parse(fixture.body) as Body
  change(body)
  const content = FORMATS[format].parse(deliveryOf({ ...fixture, body: JSON.stringify(body) }))
  if (!content.ok) throw new Error(content.reason)
  const { events, dropped } = content.value
  return { events, dropped: dropped.map(({ reason }) => reason) }
}

function at(body: Body, ...keys: readonly string[]): Body {
  return keys.reduce<Body>((object, key) => object[key] as Body, body)
}
