import { describe, expect, it } from 'vitest'
import { type Digest, digestOf } from '../../../src/oci/digest.ts'
import { type Manifest, parseManifest } from '../../../src/oci/manifest.ts'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { parseRepository } from '../../../src/oci/reference.ts'
import { type Asked, PlatformDemand } from '../../../src/first-pull/platform-demand.ts'
import { eventually } from '../../support/eventually.ts'

const SIGNAL = new AbortController().signal
const NEVER_MS = 600_000

/** What clients have asked for so far. */
function clients() {
  const asked = new Set<Digest>()
  const seen: Asked = {
    asked: (_, digests) => Promise.resolve(new Set(digests.filter((digest) => asked.has(digest)))),
  }
  return { asked, seen }
}

function manifest(name: string, layerCount = 1): Manifest {
  const contents = Array.from({ length: layerCount }, (_, at) => `${name} layer ${at}`)
  const [config, ...layers] = [`${name} config`, ...contents].map((content) => ({
    mediaType: 'application/octet-stream',
    digest: digestOf(Buffer.from(content)),
    size: content.length,
  }))
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers }))
  const parsed = parseManifest(bytes, OCI_MANIFEST, digestOf(bytes))
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.value
}

function repository() {
  const parsed = parseRepository('team/app')
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.value
}

/** The turns of these manifests, and whether each has come. */
function turnsOf(demand: PlatformDemand, manifests: readonly Manifest[], signal = SIGNAL) {
  return manifests.map((one) => {
    const turn = { ended: (): void => undefined, begun: false, promise: Promise.resolve() }
    turn.promise = demand.turn(one, signal).then((end) => {
      turn.begun = true
      turn.ended = end
    })
    turn.promise.catch(() => undefined)
    return turn
  })
}

const [arm, amd, s390] = [manifest('arm'), manifest('amd'), manifest('s390')]
const ALL = [arm, amd, s390] as const

describe('clients come first', () => {
  it('with the image that they ask for, and the rest when that is there', async () => {
    const { asked, seen } = clients()
    const demand = new PlatformDemand(repository(), seen, NEVER_MS)
    const [first, wanted, last] = turnsOf(demand, ALL)
    asked.add(amd.digest)

    await wanted?.promise
    expect([first?.begun, last?.begun]).toEqual([false, false])
    wanted?.ended()

    await Promise.all([first?.promise, last?.promise])
  })

  it('with an image of which they ask for a layer', async () => {
    const { asked, seen } = clients()
    const [first, wanted] = turnsOf(new PlatformDemand(repository(), seen, NEVER_MS), ALL)
    for (const { digest } of amd.blobs.slice(-1)) asked.add(digest)

    await wanted?.promise
    expect(first?.begun).toBe(false)
  })

  it('also of an index that names far more than is asked for at once', async () => {
    const asked = new Set<Digest>([amd.digest])
    const asks: number[] = []
    const seen: Asked = {
      asked: (_, digests) => {
        asks.push(digests.length)
        return Promise.resolve(new Set(digests.filter((digest) => asked.has(digest))))
      },
    }
    const demand = new PlatformDemand(repository(), seen, NEVER_MS)
    const [large, wanted] = turnsOf(demand, [manifest('large', 3_000), amd])

    await wanted?.promise

    expect(large?.begun).toBe(false)
    expect(Math.max(...asks)).toBe(1_000)
  })

  it('with several at once', async () => {
    const { asked, seen } = clients()
    const [one, other, rest] = turnsOf(new PlatformDemand(repository(), seen, NEVER_MS), ALL)
    asked.add(arm.digest).add(amd.digest)

    await Promise.all([one?.promise, other?.promise])
    one?.ended()
    // Not before the other one is there, too.
    const third = manifest('third')
    asked.add(third.digest)
    expect(rest?.begun).toBe(false)
    other?.ended()
    await rest?.promise
  })

  it('also with one that they ask for while another one comes', async () => {
    const { asked, seen } = clients()
    const [one, other, rest] = turnsOf(new PlatformDemand(repository(), seen, NEVER_MS), ALL)
    asked.add(arm.digest)
    await one?.promise

    asked.add(amd.digest)

    await other?.promise
    expect(rest?.begun).toBe(false)
  })

  it('but where none asks for any, all come', async () => {
    const { seen } = clients()
    const turns = turnsOf(new PlatformDemand(repository(), seen, 50), ALL)

    await Promise.all(turns.map(({ promise }) => promise))
  })

  it('and who gives up waiting is told so', async () => {
    const stop = new AbortController()
    const { seen } = clients()
    const turns = turnsOf(new PlatformDemand(repository(), seen, NEVER_MS), ALL, stop.signal)

    stop.abort(new Error('the worker is stopping'))

    for (const { promise } of turns) await expect(promise).rejects.toThrow('is stopping')
  })

  it('looks no more when nobody waits', async () => {
    let looks = 0
    const seen: Asked = {
      asked: () => {
        looks += 1
        return Promise.resolve(new Set())
      },
    }
    const turns = turnsOf(new PlatformDemand(repository(), seen, 0), ALL)
    await Promise.all(turns.map(({ promise }) => promise))
    const then = looks

    const later = turnsOf(new PlatformDemand(repository(), clients().seen, 100), [arm])
    await eventually(() => later[0]?.begun === true, { describe: 'another one to begin' })

    expect(looks).toBe(then)
  })
})
