import type { Copied, Outcome, Referrers } from '../../replication/outcome.ts'
import { formatBytes } from '../../text/format-bytes.ts'

/** What an outcome holds, as names and values to print. */
export function outcomeFacts(
  outcome: Outcome | undefined,
): readonly (readonly [name: string, value: string])[] {
  switch (outcome?.kind) {
    case 'copied':
      return [
        ['digest', outcome.digest],
        ['fetched', `${formatBytes(outcome.bytes)} from ${outcome.upstream}`],
        ['manifests', `${outcome.manifests}`],
        ['blobs', blobsText(outcome.blobs)],
        ...platformFacts(outcome),
        ...referrerFacts(outcome),
      ]
    case 'deleted':
      return outcome.digest === undefined ? [] : [['digest', outcome.digest]]
    case 'up-to-date':
      return [['digest', outcome.digest], ...referrerFacts(outcome)]
    case 'not-found':
    case 'refused':
    case undefined:
      return []
  }
}

function platformFacts({ leftOut, sparseRefused }: Copied): readonly (readonly [string, string])[] {
  return [
    ...(leftOut === undefined
      ? []
      : [['left upstream', `${leftOut} manifests of other platforms`] as const]),
    ...(sparseRefused === undefined
      ? []
      : [['all platforms', 'because the local registry refuses an incomplete index'] as const]),
  ]
}

function referrerFacts({
  referrers,
  referrersFailed,
}: Referrers): readonly (readonly [string, string])[] {
  return [
    ...(referrers === undefined
      ? []
      : [['referrers', `${referrers} signatures, SBOMs or attestations`] as const]),
    ...(referrersFailed === undefined
      ? []
      : [['not copied', `${referrersFailed} referrers; the log says why`] as const]),
  ]
}

function blobsText(counts: Copied['blobs']): string {
  const { copied, skipped, mounted, nonDistributable } = counts
  return [
    `${copied} copied`,
    `${skipped} already here`,
    `${mounted} linked from another repository`,
    ...(nonDistributable > 0 ? [`${nonDistributable} left where they are`] : []),
  ].join(', ')
}
