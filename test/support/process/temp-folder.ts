import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TempFolder extends AsyncDisposable {
  readonly path: string
}

const folders = new Set<string>()
// A process that ends in the middle of a test or demo never gets to dispose of anything.
process.once('exit', () => {
  for (const path of folders) rmSync(path, { recursive: true, force: true, maxRetries: 5 })
})

/** A new empty folder of this process, removed with all that is in it when disposed of. */
export async function tempFolder(purpose: string): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), `pullsync-${purpose}-`))
  folders.add(path)
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true, maxRetries: 5 })
      folders.delete(path)
    },
  }
}
