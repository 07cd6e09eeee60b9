import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../../test/support/process/run.ts'
import { tempFolder } from '../../test/support/process/temp-folder.ts'
import { startProduct } from '../pool/product.ts'
import type { EarlierEntry } from './rivals.ts'

/** The clone that the benchmarks were built in. */
const CLONE = fileURLToPath(new URL('../../..', import.meta.url))
const BUILDS_WITHIN_MS = 300_000

/** Another commit of pullsync, built in a folder of its own that goes with it. */
export interface Before extends AsyncDisposable {
  readonly entry: EarlierEntry
}

/** @param ref a commit, as git knows it; what it depends on must be what this one depends on */
export async function buildBefore(ref: string): Promise<Before> {
  const commit = (await succeeded('git', ['rev-parse', '--short', `${ref}^{commit}`])).trim()
  const folder = await tempFolder('before')
  const tree = join(folder.path, 'tree')
  const dispose = async () => {
    await succeeded('git', ['worktree', 'remove', '--force', tree]).catch(() => undefined)
    await folder[Symbol.asyncDispose]()
  }
  try {
    await succeeded('git', ['worktree', 'add', '--detach', tree, commit])
    await symlink(join(CLONE, 'node_modules'), join(tree, 'node_modules'))
    const tsc = join(CLONE, 'node_modules/typescript/bin/tsc')
    await succeeded(process.execPath, [tsc, '-p', join(tree, 'tsconfig.build.json')])
  } catch (error) {
    await dispose()
    throw error
  }
  const script = join(tree, 'dist/pullsync.js')
  const entry: EarlierEntry = {
    script,
    name: `pullsync ${commit}`,
    isPeer: true,
    remembers: true,
    enter: (pair) => startProduct(pair, { script }),
  }
  return { entry, [Symbol.asyncDispose]: dispose }
}

async function succeeded(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, {
    cwd: CLONE,
    within: BUILDS_WITHIN_MS,
  })
  if (code === 0) return stdout.toString('utf8')
  throw new Error(
    `${command} ${args.join(' ')}: ${stderr.toString('utf8')}${stdout.toString('utf8')}`,
  )
}
