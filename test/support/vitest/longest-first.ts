import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Minutes each, in which they mostly wait: begun last, all others would be done long before them. */
const LONGEST = [
  'e2e/soak',
  'integration/bench',
  'e2e/upstream/revalidation',
  'e2e/gateway/accept',
  'clients/first-pull',
]

/** The rest as vitest has it: where no run was before, by the size of the file. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((one, other) => rankOf(one) - rankOf(other))
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = LONGEST.findIndex((name) => moduleId.endsWith(`${name}.test.ts`))
  return rank < 0 ? LONGEST.length : rank
}
