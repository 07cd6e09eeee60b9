import type { ContentSource, ContentTarget } from '../../replication/ports.ts'
import { type Attributes, inSpan, isTraced } from './span.ts'

/** The same source, with a span for each thing that it is asked for while somebody records. */
export function tracedSource(source: ContentSource): ContentSource {
  if (!isTraced()) return source
  const ask = askerOf(source.registry)
  return {
    registry: source.registry,
    headManifest: (reference, ...how) =>
      ask('manifest head', { 'pullsync.reference': reference }, async (note) => {
        const head = await source.headManifest(reference, ...how)
        note(head === undefined ? notThere() : { 'pullsync.digest': head.digest })
        return head
      }),
    getManifest: (reference, signal) => getManifest(ask, source, reference, signal),
    listReferrers: (subject, ...how) =>
      ask('referrers list', { 'pullsync.digest': subject }, () =>
        source.listReferrers(subject, ...how),
      ),
    listReferrersByApi: (subject, signal) =>
      ask('referrers list', { 'pullsync.digest': subject }, () =>
        source.listReferrersByApi(subject, signal),
      ),
    givesBlob: (blob, signal) =>
      ask('blob probe', { 'pullsync.digest': blob.digest }, () => source.givesBlob(blob, signal)),
    // Until its first bytes: how long all of it takes is told by the copy.
    getBlob: (blob, signal, how = {}) => {
      const offset = { 'pullsync.offset': how.offset ?? 0 }
      const about = { 'pullsync.digest': blob.digest, 'pullsync.size': blob.size, ...offset }
      return ask('blob get', about, () => source.getBlob(blob, signal, how))
    },
    ...(source.landed && { landed: (digest) => source.landed?.(digest) }),
    ...(source.getBlobPart && {
      getBlobPart: (blob, part, signal) => {
        const about = { 'pullsync.digest': blob.digest, 'pullsync.offset': part.offset }
        return ask('blob get', about, async () => await source.getBlobPart?.(blob, part, signal))
      },
    }),
  }
}

/** The same target, with a span for each thing that is looked up or written there while somebody records. */
export function tracedTarget(target: ContentTarget): ContentTarget {
  if (!isTraced()) return target
  const ask = askerOf('local')
  return {
    ...untraced(target),
    heldAt: (reference, signal) =>
      ask('manifest head', { 'pullsync.reference': reference }, async (note) => {
        const held = await target.heldAt(reference, signal)
        note(held === undefined ? notThere() : { 'pullsync.digest': held.digest })
        return held
      }),
    getManifest: (reference, signal) => getManifest(ask, target, reference, signal),
    hasBlob: (digest, signal) =>
      ask('blob head', { 'pullsync.digest': digest }, async (note) => {
        const has = await target.hasBlob(digest, signal)
        note(has ? {} : notThere())
        return has
      }),
    putBlob: ({ digest, size, ...more }, body, signal) =>
      ask('blob copy', { 'pullsync.digest': digest, 'pullsync.size': size }, () =>
        target.putBlob({ digest, size, ...more }, body, signal),
      ),
    bringBlob: (blob, ...how) => {
      const about = { 'pullsync.digest': blob.digest, 'pullsync.size': blob.size }
      return ask('blob copy', about, async (note) => {
        const result = await target.bringBlob(blob, ...how)
        note({ 'pullsync.result': result })
        return result
      })
    },
    mountBlob: (digest, from, signal) =>
      ask('blob mount', { 'pullsync.digest': digest, 'pullsync.from': from }, async (note) => {
        const mounted = await target.mountBlob(digest, from, signal)
        note({ 'pullsync.result': mounted ? 'mounted' : 'not-mounted' })
        return mounted
      }),
    putManifest: (reference, manifest, signal) => {
      const about = { 'pullsync.reference': reference, 'pullsync.digest': manifest.digest }
      const size = { 'pullsync.size': manifest.bytes.length }
      return ask('manifest put', { ...about, ...size }, () =>
        target.putManifest(reference, manifest, signal),
      )
    },
  }
}

function untraced(target: ContentTarget) {
  return {
    repository: target.repository,
    listReferrers: (...args) => target.listReferrers(...args),
    hasReferrersApi: (...args) => target.hasReferrersApi(...args),
    givesBlob: (...args) => target.givesBlob(...args),
    takesSparseIndexes: () => target.takesSparseIndexes(),
    noteSparseIndexRefused: () => {
      target.noteSparseIndexRefused()
    },
  } satisfies Partial<ContentTarget>
}

type Ask = <T>(
  name: string,
  attributes: Attributes,
  run: (note: (attributes: Attributes) => void) => Promise<T>,
) => Promise<T>

function askerOf(registry: string): Ask {
  return (name, attributes, run) =>
    inSpan(
      name,
      { kind: 'client', attributes: { 'pullsync.registry': registry, ...attributes } },
      run,
    )
}

async function getManifest(
  ask: Ask,
  from: Pick<ContentSource, 'getManifest'>,
  ...[reference, signal]: Parameters<ContentSource['getManifest']>
) {
  return await ask('manifest get', { 'pullsync.reference': reference }, async (note) => {
    const manifest = await from.getManifest(reference, signal)
    if (manifest === undefined) note(notThere())
    else note({ 'pullsync.digest': manifest.digest, 'pullsync.size': manifest.bytes.length })
    return manifest
  })
}

function notThere(): Attributes {
  return { 'pullsync.result': 'not-found' }
}
