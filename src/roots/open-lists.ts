import { type ListWish, UpstreamLists } from '../gateway/lists/upstream-lists.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { Referrer } from '../oci/referrer-list.ts'
import type { Tag } from '../oci/reference.ts'
import type { UpstreamQuestion } from '../pool/gateways/upstream-watch.ts'
import type { Reporter } from '../telemetry/reports/report.ts'
import type { WatchParts } from './watch-upstreams.ts'

interface ListParts extends WatchParts {
  readonly reporter: Reporter
}

/** What upstreams list, read with pullsync's own credentials. */
export function openLists({ registries, reporter, watch }: ListParts) {
  const { isHeld } = watch
  const onError = (upstream: string, error: unknown) => {
    reporter.lookFailed({ upstream, error })
  }
  const repositoryOf = (upstream: string, { upstreamRepository }: ListWish) =>
    registries.of(upstream).repository(upstreamRepository)
  return {
    upstreamTags: new UpstreamLists<Tag>({
      read: (upstream, wish, signal) =>
        watch.watchedPages(questionOf(upstream, wish), repositoryOf(upstream, wish).tags(signal)),
      nameOf: (tag) => tag,
      isHeld,
      onError,
    }),
    upstreamReferrers: new UpstreamLists<Referrer>({
      async *read(upstream, wish, signal) {
        const subject = parseDigest(wish.about ?? '')
        if (subject.ok)
          yield await watch.watched(
            questionOf(upstream, wish),
            repositoryOf(upstream, wish).listReferrers(subject.value, signal),
          )
      },
      nameOf: ({ digest }) => digest,
      isHeld,
      onError,
    }),
    upstreamManifests: new UpstreamLists<Manifest>({
      async *read(upstream, wish, signal) {
        const digest = parseDigest(wish.about ?? '')
        if (!digest.ok) return
        const manifest = await watch.watched(
          questionOf(upstream, wish),
          repositoryOf(upstream, wish).getManifest(digest.value, signal),
        )
        if (manifest) yield [manifest]
      },
      nameOf: ({ digest }) => digest,
      bytesOf: ({ bytes }) => bytes.length,
      isHeld,
      onError,
    }),
    upstreamBlobs: new UpstreamLists<Digest>({
      async *read(upstream, wish, signal) {
        const digest = parseDigest(wish.about ?? '')
        if (!digest.ok) return
        const given = repositoryOf(upstream, wish).givesBlob({ digest: digest.value }, signal)
        if (await watch.watched(questionOf(upstream, wish), given)) yield [digest.value]
      },
      nameOf: (digest) => digest,
      isHeld,
      onError,
    }),
  }
}

function questionOf(upstream: string, { upstreamRepository, about }: ListWish): UpstreamQuestion {
  const image = about === undefined ? upstreamRepository : `${upstreamRepository}@${about}`
  return { upstream, image }
}
