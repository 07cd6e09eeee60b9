import { startRegistry, type TestRegistry } from '../test/support/docker-registry.ts'
import type { Entry } from './contestant.ts'
import type { PublishedImage } from './publish.ts'
import type { Usage } from './usage.ts'
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

export interface Measured {
  readonly step: string
  readonly contestant: string
  readonly usages: readonly Usage[]
}

/**
 * Lets all contestants take all steps, in turn, each time with a registry, a Redis and processes of
 * its own. The order is turned round with each repetition. A copy that is wrong throws.
 */
export async function measureCopies(
  upstream: TestRegistry,
  { entries, steps, repetitions }: Copies,
): Promise<readonly Measured[]> {
  const usages = new Map<string, Usage[]>()
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const order = repetition % 2 === 0 ? entries : [...entries].reverse()
    for (const entry of order) {
      const taken = await takeSteps(upstream, entry, entry.remembers ? steps : steps.slice(0, 1))
      taken.forEach((usage, at) => {
        const key = keyOf(steps[at]?.name ?? '', entry.name)
        usages.set(key, [...(usages.get(key) ?? []), usage])
      })
    }
  }
  const measured = steps.flatMap((step) =>
    entries.map(({ name }) => ({
      ...{ step: step.name, contestant: name },
      usages: usages.get(keyOf(step.name, name)) ?? [],
    })),
  )
  return measured.filter(({ usages: taken }) => taken.length > 0)
}

async function takeSteps(
  upstream: TestRegistry,
  entry: Entry,
  steps: readonly Step[],
): Promise<readonly Usage[]> {
  await using local = await startRegistry()
  await using contestant = await entry.enter({ upstream, local })
  const taken: Usage[] = []
  for (const { images } of steps) {
    const repository = images[0]?.repository ?? ''
    taken.push(await contestant.copy({ repository, tags: images.map(({ tag }) => tag) }))
    await verifyCopies(local.url, images)
  }
  return taken
}

function keyOf(step: string, contestant: string): string {
  return `${step} / ${contestant}`
}
