import {
  benchLargeImage,
  benchLargeImageOverTls,
  benchManyTags,
  benchOneLayer,
  benchSmallLayers,
} from './copies/copy.ts'
import {
  benchColdPull,
  benchColdPullByGigabit,
  benchColdPullFarAway,
  benchColdPullOverTls,
  benchColdPullThrottled,
  benchOnePlatform,
  benchSmallColdPullFarAway,
} from './pulls/cold-pull.ts'
import { benchWarmPull } from './pulls/warm-pull.ts'
import { benchCounts } from './counts/counts.ts'
import { benchHerd } from './pulls/herd.ts'
import { benchHold } from './pulls/hold.ts'
import { benchSmallImages } from './images/images.ts'
import { benchKill } from './pool/kill.ts'
import { benchLimited } from './copies/limited.ts'
import { benchMemory } from './pool/memory.ts'
import { benchOutage } from './pool/outage.ts'
import type { Rivals } from './rivals/rivals.ts'
import type { Scale } from './scale.ts'
import { benchStart } from './pool/start.ts'
import { benchWebhook } from './pool/webhook.ts'

/** One table of docs/performance.md. */
export interface Bench {
  /** What it is chosen by; `copy` chooses every `copy-…`. */
  readonly name: string
  readonly title: string
  readonly measure: (scale: Scale, rivals: Rivals) => Promise<string>
  /** It has rivals, be they an older pullsync. */
  readonly compares?: boolean
}

export const BENCHES: readonly Bench[] = [
  { name: 'copy-large', title: 'One large image', measure: benchLargeImage, compares: true },
  {
    ...{ name: 'copy-tls', title: 'One large image, both registries over TLS', compares: true },
    measure: benchLargeImageOverTls,
  },
  { name: 'copy-one', title: 'One large layer', measure: benchOneLayer, compares: true },
  { name: 'copy-small', title: 'Small layers', measure: benchSmallLayers, compares: true },
  {
    ...{ name: 'copy-tags', title: 'Many tags that share layers', compares: true },
    measure: benchManyTags,
  },
  {
    name: 'copy-limited',
    title: 'One large layer, upstream at 30 MB/s for each connection',
    measure: benchLimited,
  },
  { name: 'counts', title: 'Requests and Redis commands', measure: benchCounts },
  { name: 'images', title: 'Small images', measure: benchSmallImages, compares: true },
  { name: 'memory', title: 'Memory of a worker', measure: benchMemory },
  { name: 'kill', title: 'A worker killed at half of an image', measure: benchKill },
  { name: 'gateway-cold', title: 'First pull', measure: benchColdPull },
  {
    name: 'gateway-tls',
    title: 'First pull, upstream over TLS',
    measure: benchColdPullOverTls,
  },
  {
    name: 'gateway-slow',
    title: 'First pull, upstream at 20 MB/s',
    measure: benchColdPullThrottled,
  },
  {
    name: 'gateway-gigabit',
    title: 'First pull, upstream behind 1 Gbit/s',
    measure: benchColdPullByGigabit,
  },
  {
    name: 'gateway-platforms',
    title: 'First pull of one platform of four, upstream behind 1 Gbit/s',
    measure: benchOnePlatform,
  },
  { name: 'gateway-far', title: 'First pull, upstream 50 ms away', measure: benchColdPullFarAway },
  {
    name: 'gateway-small',
    title: 'First pull of a small image, upstream 50 ms away',
    measure: benchSmallColdPullFarAway,
  },
  { name: 'gateway-warm', title: 'Pull of what is here', measure: benchWarmPull },
  { name: 'gateway-herd', title: 'Many clients at once', measure: benchHerd },
  { name: 'hold', title: 'Clients that wait', measure: benchHold },
  { name: 'webhook', title: 'Events', measure: benchWebhook },
  { name: 'outage', title: 'An upstream away, with many jobs waiting', measure: benchOutage },
  { name: 'start', title: 'From a miss to its job', measure: benchStart },
]

/** Those of these names, all when there are none. Throws when a name means nothing. */
export function chosenBenches(names: readonly string[]): readonly Bench[] {
  const known = (name: string) =>
    BENCHES.filter((bench) => bench.name === name || bench.name.startsWith(`${name}-`))
  const unknown = names.find((name) => known(name).length === 0)
  if (unknown !== undefined) {
    const all = BENCHES.map(({ name }) => name).join(', ')
    throw new Error(`there is no benchmark "${unknown}", only ${all}`)
  }
  const chosen = names.flatMap(known)
  return names.length === 0 ? BENCHES : BENCHES.filter((bench) => chosen.includes(bench))
}
