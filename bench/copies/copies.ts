import type { TestRegistry } from '../../test/support/registry/docker-registry.ts'
import type { Entry } from './contestant.ts'
import type { PublishedImage } from '../content/publish.ts'
import type { BenchRegistry, RegistryMaker } from './pair.ts'
import { cpuMsOf, type Usage } from '../figures/usage.ts'
import { verifyCopies } from './verify.ts'

/** Something that is copied as a whole: all its tags are of one repository. */
export interface Step {
  readonly name: string
  readonly images: readonly PublishedImage[]
}

/** Steps that a contestant takes one after the other, on a local registry that is empty before. */
export interface Copies {
  readonly entries: readonly Entry[]
  readonly steps: readonly Step[]
  readonly repetitions: number
}

/** What a copy took, of the registries too. */
export interface CopyUsage extends Usage {
  /** User and system time, in milliseconds. */
  readonly upstreamCpuMs: number
  readonly localCpuMs: number
  /** To both. */
  readonly requests: number
}

/** Where the images are, and how registries to copy to are made. */
export interface Site {
  readonly upstream: BenchRegistry
  readonly maker: RegistryMaker
}

export interface Measured {
  readonly step: string
  readonly contestant: string
  readonly isPeer: boolean
  readonly usages: readonly CopyUsage[]
}

/**
 * Lets all contestants take all steps, in turn, each time with a registry, a Redis and processes of
 * its own. The order is turned round with each repetition. A copy that is wrong throws.
 */
export async function measureCopies(
  { upstream, maker }: Site,
  { entries, steps, repetitions }: Copies,
): Promise<readonly Measured[]> {
  const usages = new Map<string, CopyUsage[]>()
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const order = repetition % 2 === 0 ? entries : [...entries].reverse()
    for (const entry of order) {
      const some = entry.remembers ? steps : steps.slice(0, 1)
      const taken = await takeSteps({ upstream, maker }, entry, some)
      taken.forEach((usage, at) => {
        const key = keyOf(steps[at]?.name ?? '', entry.name)
        usages.set(key, [...(usages.get(key) ?? []), usage])
      })
    }
  }
  const measured = steps.flatMap((step) =>
    entries.map(({ name, isPeer = false }) => ({
      ...{ step: step.name, contestant: name, isPeer },
      usages: usages.get(keyOf(step.name, name)) ?? [],
    })),
  )
  return measured.filter(({ usages: taken }) => taken.length > 0)
}

async function takeSteps(
  { upstream: { registry: upstream }, maker }: Site,
  entry: Entry,
  steps: readonly Step[],
): Promise<readonly CopyUsage[]> {
  await using made = await maker.start()
  const { registry: local, plainUrl } = made
  const trusted = maker.caFile !== undefined && { caFile: maker.caFile }
  await using contestant = await entry.enter({ upstream, local, ...trusted })
  const taken: CopyUsage[] = []
  for (const { images } of steps) {
    const repository = images[0]?.repository ?? ''
    const usedSince = watchRegistries(upstream, local)
    const usage = await contestant.copy({ repository, tags: images.map(({ tag }) => tag) })
    taken.push({ ...usage, ...usedSince() })
    await verifyCopies(plainUrl, images)
  }
  return taken
}

function watchRegistries(upstream: TestRegistry, local: TestRegistry) {
  const cpuOf = (registry: TestRegistry) => cpuMsOf(registry.pid() ?? 0) ?? 0
  const requestsOf = () => upstream.accessLog().length + local.accessLog().length
  const before = [cpuOf(upstream), cpuOf(local), requestsOf()] as const
  return () => ({
    upstreamCpuMs: cpuOf(upstream) - before[0],
    localCpuMs: cpuOf(local) - before[1],
    requests: requestsOf() - before[2],
  })
}

function keyOf(step: string, contestant: string): string {
  return `${step} / ${contestant}`
}
