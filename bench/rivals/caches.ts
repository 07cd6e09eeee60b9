import { startRegistry, type TestRegistry } from '../../test/support/registry/docker-registry.ts'
import { goProgram, missingProgram } from '../../test/support/process/go-program.ts'
import { run } from '../../test/support/process/run.ts'

/** Another way to have what upstream has at the first pull. */
export interface Cache {
  readonly name: string
  /** @param trusts a PEM file, where upstream is https */
  readonly startCache: (upstreamUrl: string, trusts?: string) => Promise<TestRegistry>
}

/** CNCF distribution as a pull-through cache, if it is here. */
export async function pullThroughCaches(): Promise<readonly Cache[]> {
  const program = goProgram('distribution3')
  if (program === undefined) {
    console.error(`no pull-through cache${missingProgram('distribution3')}`)
    return []
  }
  const { stdout } = await run(program, ['--version'])
  const version = /\d+\.\d+\.\d+/.exec(stdout.toString('utf8'))?.[0] ?? '3'
  const startCache = (proxyOf: string, trusts?: string) =>
    startRegistry({ program, proxyOf, trusts })
  return [{ name: `distribution ${version} as a cache`, startCache }]
}
