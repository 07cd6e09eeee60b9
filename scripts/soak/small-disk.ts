import { open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../test/support/process/run.ts'

const SIZE = '96m'
const FILLER = 'filler'

/** A tmpfs of its own over that folder; undefined for whoever may not mount one. */
export async function mountSmallDisk(folder: string): Promise<AsyncDisposable | undefined> {
  const { code } = await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder]).catch(
    () => ({ code: 1 }),
  )
  if (code !== 0) return undefined
  return {
    async [Symbol.asyncDispose]() {
      await run('umount', ['--lazy', folder])
    },
  }
}

/** Takes what is free on it. Resolves with what gives it back. */
export async function fillDisk(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, FILLER)
  const { bavail, bsize } = await statfs(folder)
  const piece = Buffer.alloc(1024 * 1024)
  const file = await open(path, 'w')
  try {
    for (let left = bavail * bsize; left > 0; left -= piece.length) await file.write(piece)
  } catch {
    // Somebody else wrote, too: then it is full sooner.
  } finally {
    await file.close()
  }
  return () => rm(path, { force: true })
}
