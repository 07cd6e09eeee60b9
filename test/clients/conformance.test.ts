import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startRegistry } from '../support/registry/docker-registry.ts'
import { goProgram, missingProgram } from '../support/process/go-program.ts'
import { run } from '../support/process/run.ts'
import { tempFolder } from '../support/process/temp-folder.ts'
import { startSite } from '../e2e/site.ts'

const SUITE = goProgram('conformance') ?? ''

const REGISTRIES = [
  // Lists tags in an order of its own; the gateway's list, with upstream's in it, is in the right one.
  { name: 'CNCF distribution 2.8', program: undefined, why: '', unlike: /\/tag-list: / },
  {
    name: 'CNCF distribution 3',
    program: goProgram('distribution3'),
    why: missingProgram('distribution3'),
    unlike: /^$/,
  },
]

/** Each case of the OCI conformance suite with how it ended, in the order of their names. */
async function conformance(registry: string): Promise<readonly string[]> {
  await using folder = await tempFolder('conformance')
  await run(SUITE, [], {
    cwd: folder.path,
    env: {
      ...{ OCI_REGISTRY: registry, OCI_TLS: 'disabled', OCI_RESULTS_DIR: folder.path },
      ...{ OCI_REPO1: 'team/one', OCI_REPO2: 'team/two' },
    },
  })
  const report = await readFile(join(folder.path, 'junit.xml'), 'utf8')
  return [...report.matchAll(/<testcase name="([^"]+)"[^>]* status="([^"]+)"/g)]
    .map(([, name = '', status = '']) => `${name}: ${status}`)
    .sort()
}

describe.skipIf(SUITE === '')(`the OCI conformance suite${missingProgram('conformance')}`, () => {
  for (const { name, program, why, unlike } of REGISTRIES) {
    it.skipIf(why !== '')(
      `finds before ${name} what it finds straight at it${why}`,
      { timeout: 360_000 },
      async () => {
        await using straight = await startRegistry({ program })
        await using site = await startSite({ local: { program } })

        const [behind, found] = [await conformance(straight.host), await conformance(site.gateway)]

        expect(behind.filter((each) => each.endsWith(': passed')).length).toBeGreaterThan(400)
        const alike = (each: string) => !unlike.test(each)
        expect(found.filter(alike)).toEqual(behind.filter(alike))
      },
    )
  }
})
