import { join } from 'node:path'
import { goProgram } from '../process/go-program.ts'
import { type Ran, run } from '../process/run.ts'
import { tempFolder } from '../process/temp-folder.ts'

/** cosign with a key pair of its own, and no transparency log: nothing but the registry is asked. */
export interface Cosign extends AsyncDisposable {
  /** @param image with its digest, since a tag may move while it is signed */
  readonly sign: (image: string) => Promise<Ran>
  readonly verify: (image: string) => Promise<Ran>
}

export async function openCosign(): Promise<Cosign> {
  const folder = await tempFolder('cosign')
  const program = goProgram('cosign') ?? 'cosign'
  const cosign = (args: readonly string[]) =>
    run(program, args, { cwd: folder.path, env: { COSIGN_PASSWORD: '', HOME: folder.path } })
  const made = await cosign(['generate-key-pair'])
  if (made.code !== 0) throw new Error(made.stderr.toString())
  const key = (name: string) => ['--key', join(folder.path, name), '--allow-http-registry']
  return {
    sign: (image) =>
      cosign([
        ...['sign', ...key('cosign.key'), '--yes'],
        ...['--tlog-upload=false', '--use-signing-config=false', image],
      ]),
    verify: (image) =>
      cosign(['verify', ...key('cosign.pub'), '--insecure-ignore-tlog=true', image]),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}
