import { beforeAll, describe, expect, it } from 'vitest'
import { FORMATS } from '../../../src/events/formats.ts'
import {
  CAPTURE_SECRET,
  captureDistribution,
  type CapturedDelivery,
} from '../../fixtures/capture-distribution.ts'
import { deliveryOf, readFixtures, writeFixture } from '../../fixtures/read-fixtures.ts'

// PULLSYNC_WRITE_FIXTURES=1 npx vitest run test/integration/webhook/notifications.test.ts
const WRITE = process.env['PULLSYNC_WRITE_FIXTURES'] === '1'

describe('notifications of a running docker-registry', () => {
  let captured: ReadonlyMap<string, CapturedDelivery>

  beforeAll(async () => {
    captured = await captureDistribution()
    if (WRITE)
      captured.forEach((delivery, name) => {
        writeFixture(name, delivery)
      })
  })

  it('prove themselves with the header of the registry configuration', () => {
    for (const delivery of captured.values()) {
      expect(FORMATS.distribution.prove(deliveryOf(delivery), [CAPTURE_SECRET])).toBe(true)
      expect(FORMATS.distribution.prove(deliveryOf(delivery), ['another'])).toBe(false)
    }
  })

  it('are what the captured fixtures are', () => {
    const fixtures = readFixtures()

    expect([...captured.keys()].sort()).toEqual([...fixtures.keys()].sort())
    for (const [name, delivery] of captured) {
      expect([name, meaning(delivery)]).toEqual([name, meaning(fixtures.get(name))])
    }
  })
})

/** What pullsync reads in it, without what differs each time or with another zlib. */
function meaning(delivery: CapturedDelivery | undefined): unknown {
  if (delivery === undefined) return undefined
  const content = FORMATS.distribution.parse(deliveryOf(delivery))
  if (!content.ok) return content.reason
  const events = content.value.events.map((event) => ({
    ...event,
    id: typeof event.id,
    userAgent: event.userAgent?.split('/', 1),
    ...('cause' in event && { cause: typeof event.cause }),
    ...('digest' in event && { digest: event.digest.split(':', 1) }),
  }))
  return { type: delivery.headers['content-type'], events, dropped: content.value.dropped }
}
