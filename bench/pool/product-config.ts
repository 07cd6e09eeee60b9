import type { Ends } from '../copies/contestant.ts'

export type OnMiss = 'stream' | 'hold' | 'async'

/** What only `pullsync serve` needs. */
export interface Serving {
  readonly listen: number
  readonly admin: number
  readonly secret: string
  readonly onMiss?: OnMiss
  /** Clients are sent to the local registry for what is here. */
  readonly redirects?: boolean
}

export interface ProductOptions {
  readonly redisUrl: string
  readonly serving?: Serving
}

/** The defaults, as somebody who has just installed pullsync has them. */
export function productConfig(
  { upstream, local, caFile }: Ends,
  { redisUrl, serving }: ProductOptions,
): string {
  const trust = (url: string) =>
    caFile === undefined || !url.startsWith('https:') ? '' : `, caFile: ${caFile}`
  return `
redis: { url: ${redisUrl} }
local: { url: ${local.url}${trust(local.url)}${serving?.redirects === true ? `, redirectBlobsTo: ${local.url}` : ''} }
upstreams:
  hq: { url: ${upstream.url}${trust(upstream.url)} }
projects:
  - { name: team, upstream: hq, onMiss: ${serving?.onMiss ?? 'stream'} }
${serving === undefined ? '' : servingPart(serving)}`
}

function servingPart({ listen, admin, secret }: Serving): string {
  return `
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
sources:
  miss: { format: pull-miss, registry: local, secret: ${secret} }
`
}
