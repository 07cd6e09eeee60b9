import type { Outcome } from '../replication/outcome.ts'
import { formatBytes } from './format-bytes.ts'

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
      ]
    case 'up-to-date':
      return [['digest', outcome.digest]]
    case 'not-found':
    case 'refused':
    case undefined:
      return []
  }
}

function blobsText(counts: Extract<Outcome, { kind: 'copied' }>['blobs']): string {
  const { copied, skipped, mounted, nonDistributable } = counts
  return [
    `${copied} copied`,
    `${skipped} already here`,
    `${mounted} linked from another repository`,
    ...(nonDistributable > 0 ? [`${nonDistributable} left where they are`] : []),
  ].join(', ')
}
