const MIB = 1024 * 1024

/** How much is measured. */
export interface Scale {
  readonly repetitions: number
  /** Of the slow one. */
  readonly repetitionsOfTags: number
  readonly layerBytes: number
  readonly smallLayers: number
  readonly tags: number
  /** Of a config and one layer of a few KiB, each in a repository of its own. */
  readonly smallImages: number
  /** Images that one worker copies at once, each of one layer. */
  readonly imagesAtOnce: number
  readonly imageBytes: readonly number[]
  /** Copied by one of two workers until that is killed. */
  readonly killedImages: readonly { readonly layers: number; readonly layerBytes: number }[]
  /** Misses on an idle pool. */
  readonly misses: number
  readonly repetitionsOfPulls: number
  /** Of images of four layers that are pulled through the gateway. */
  readonly pulledLayerBytes: number
  /** Clients that pull at the same moment: so many, and then so many. */
  readonly herds: readonly number[]
  readonly herdLayerBytes: number
  /** Clients that wait for an image. */
  readonly held: number
  /** For how long they are watched, in milliseconds. */
  readonly watchedMs: number
  /** To the webhook, of each kind. */
  readonly deliveries: number
  /** Jobs that wait for an upstream which is away for so long, in milliseconds. */
  readonly outage: { readonly jobs: number; readonly ms: number }
}

/** What the budgets speak of. */
export const FULL: Scale = {
  repetitions: 5,
  repetitionsOfTags: 3,
  layerBytes: 128 * MIB,
  smallLayers: 40,
  tags: 200,
  smallImages: 1_000,
  imagesAtOnce: 8,
  imageBytes: [256 * MIB, 1024 * MIB],
  killedImages: [
    { layers: 8, layerBytes: 128 * MIB },
    { layers: 1, layerBytes: 1024 * MIB },
  ],
  misses: 200,
  repetitionsOfPulls: 3,
  pulledLayerBytes: 64 * MIB,
  herds: [32, 64],
  herdLayerBytes: 32 * MIB,
  held: 2_000,
  watchedMs: 10_000,
  deliveries: 30_000,
  outage: { jobs: 20_000, ms: 600_000 },
}

/** Enough to see that everything runs. */
export const SMALL: Scale = {
  repetitions: 1,
  repetitionsOfTags: 1,
  layerBytes: MIB,
  smallLayers: 3,
  tags: 4,
  smallImages: 4,
  imagesAtOnce: 2,
  imageBytes: [MIB],
  killedImages: [{ layers: 1, layerBytes: 64 * MIB }],
  misses: 3,
  repetitionsOfPulls: 1,
  pulledLayerBytes: MIB,
  herds: [4],
  herdLayerBytes: MIB,
  held: 20,
  watchedMs: 500,
  deliveries: 100,
  outage: { jobs: 50, ms: 3_000 },
}

/** The same with every repetition counted as many times; 0 leaves it as it is. */
export function withRepetitions(scale: Scale, repetitions: number): Scale {
  if (!(repetitions > 0)) return scale
  return { ...scale, repetitions, repetitionsOfTags: repetitions, repetitionsOfPulls: repetitions }
}
