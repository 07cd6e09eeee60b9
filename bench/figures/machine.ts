import { cpus, totalmem } from 'node:os'
import { registryCommand } from '../../test/support/registry/registry-command.ts'
import { run } from '../../test/support/process/run.ts'

/** When and on what was measured, in one line. */
export async function machineLine(): Promise<string> {
  const [skopeo, registry, redis] = await Promise.all([
    versionOf('skopeo'),
    versionOf(registryCommand()),
    versionOf('redis-server'),
  ])
  const date = new Date().toISOString().slice(0, 10)
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GiB`
  const versions = `skopeo ${skopeo}, distribution ${registry}, Redis ${redis}, Node ${process.versions.node}`
  return `${date}; ${cpus().length} cores, ${memory}; ${versions}`
}

async function versionOf(command: string): Promise<string> {
  const { stdout } = await run(command, ['--version'])
  return /\d+\.\d+\.\d+/.exec(stdout.toString('utf8'))?.[0] ?? 'unknown'
}
