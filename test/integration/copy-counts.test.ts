import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countCopies, totalOf } from '../../bench/counts/copy-counts.ts'
import { layersOf, type PublishedImage, Publisher } from '../../bench/content/publish.ts'
import { startRegistry, type TestRegistry } from '../support/registry/docker-registry.ts'

const MIB = 1024 * 1024
/** The manifest, and what may refer to it: the API, the tag in its place, and three of cosign's. */
const OF_AN_IMAGE = 6
/** What a job costs in Redis whatever it copies: queue, breakers, the right to the tag, progress and log. */
const COMMANDS_OF_A_JOB = 24
/**
 * The right to bring a blob, whether a client waits for it, that it has landed. What is known of it is asked for with
 * all others of the image, and so is the rest of those that begin or end in the same moment.
 */
const COMMANDS_OF_A_BLOB = 3
/** By the clock: leases, the job's lock, signs of life. Fewer than one more for each blob. */
const RENEWED = 12

describe('what a copy asks for', () => {
  let upstream: TestRegistry
  let publisher: Publisher

  beforeAll(async () => {
    upstream = await startRegistry()
    publisher = new Publisher(upstream.url)
  })

  afterAll(async () => {
    await upstream[Symbol.asyncDispose]()
  })

  it('of small layers, is each of them once upstream, and two requests at home', async () => {
    const image = await publisher.publish('team/small', '1', layersOf('small', 12, 200_000))
    const blobs = image.blobs.length

    const counts = await countCopies(upstream, [image])

    expect(counts.upstream.get('GET blobs')).toBe(blobs)
    expect(totalOf(counts.upstream)).toBeLessThanOrEqual(blobs + OF_AN_IMAGE)
    expect(totalOf(counts.local)).toBeLessThanOrEqual(2 * blobs + 2)
    const most = COMMANDS_OF_A_BLOB * blobs + COMMANDS_OF_A_JOB + RENEWED
    expect(totalOf(counts.redis.sent)).toBeLessThanOrEqual(most)
  })

  it('of large layers, is little more', async () => {
    const image = await publisher.publish('team/large', '1', layersOf('large', 2, 40 * MIB))
    const blobs = image.blobs.length

    const counts = await countCopies(upstream, [image])

    expect(counts.upstream.get('GET blobs')).toBe(blobs)
    expect(counts.local.get('POST upload')).toBe(blobs)
    expect(counts.local.get('PUT upload')).toBe(blobs)
    expect(totalOf(counts.redis.sent)).toBeLessThanOrEqual(
      2 * COMMANDS_OF_A_BLOB * blobs + COMMANDS_OF_A_JOB + PROGRESS,
    )
  })

  it('of tags that share layers, is each of those once', async () => {
    const base = layersOf('base', 6, 200_000)
    const images: PublishedImage[] = []
    for (let tag = 0; tag < TAGS; tag += 1) {
      const layers = [...base, ...layersOf(`own ${tag}`, 1, 1_000)]
      images.push(await publisher.publish('team/shared', `v${tag}`, layers))
    }
    const blobs = new Set(images.flatMap((image) => image.blobs)).size

    const counts = await countCopies(upstream, images)

    expect(counts.upstream.get('GET blobs')).toBe(blobs)
    // Of those that begin together, each looks for all layers.
    const looks = blobs + AT_ONCE * base.length
    expect(counts.local.get('HEAD blobs') ?? 0).toBeLessThanOrEqual(looks)
    expect(totalOf(counts.redis.sent)).toBeLessThanOrEqual(
      COMMANDS_OF_A_BLOB * looks + (COMMANDS_OF_A_JOB + RENEWED / 2) * TAGS,
    )
  })
})

const TAGS = 40
/** Jobs of one worker, as the default configuration has them. */
const AT_ONCE = 24
/** As it is written while large layers come. */
const PROGRESS = 40
