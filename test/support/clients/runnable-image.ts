import { createHash, randomBytes } from 'node:crypto'
import { copyFile, link, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ImageOptions } from '../images/image.ts'
import { tempFolder } from '../process/temp-folder.ts'

/** A program that needs no libraries, from Debian's package busybox-static. */
export const BUSYBOX = '/bin/busybox'

export interface RunnableImage extends AsyncDisposable {
  /** What `buildImage` wants besides. */
  readonly options: ImageOptions
  /** What `LIST_FILES` prints in a container of it. */
  readonly files: string
}

/** Path and digest of each file of the image, sorted. */
export const LIST_FILES = [
  '/bin/busybox',
  'sh',
  '-c',
  'find /bin /image -type f | sort | while read -r file; do sha256sum "$file"; done',
] as const

/**
 * Two layers with what makes unpacking hard: a file that the upper one replaces and one that it
 * removes, links of both kinds, an empty file, and names that do not fit into a plain tar header.
 */
export async function runnableImage(): Promise<RunnableImage> {
  const folder = await tempFolder('rootfs')
  const [lower, upper] = [join(folder.path, 'lower'), join(folder.path, 'upper')]
  const long = 'a-name-that-does-not-fit-'.repeat(8)
  const noise = randomBytes(3_000_000)
  await mkdir(join(lower, 'bin'), { recursive: true })
  await copyFile(BUSYBOX, join(lower, 'bin', 'busybox'))
  for (const name of ['sh', 'find', 'sort', 'sha256sum']) {
    await symlink('busybox', join(lower, 'bin', name))
  }
  await writeFiles(join(lower, 'image'), {
    replaced: Buffer.from('below'),
    removed: Buffer.from('not to be seen'),
    kept: noise.subarray(0, 1_000_000),
  })
  await writeFiles(join(upper, 'image'), {
    replaced: Buffer.from('above'),
    '.wh.removed': Buffer.alloc(0),
    empty: Buffer.alloc(0),
    größe: Buffer.from('of a name in UTF-8'),
    [long]: Buffer.from('long'),
    noise,
  })
  await link(join(upper, 'image', 'noise'), join(upper, 'image', 'linked'))
  const files = {
    '/bin/busybox': await readFile(BUSYBOX),
    '/image/empty': Buffer.alloc(0),
    '/image/größe': Buffer.from('of a name in UTF-8'),
    '/image/kept': noise.subarray(0, 1_000_000),
    '/image/linked': noise,
    '/image/noise': noise,
    '/image/replaced': Buffer.from('above'),
    [`/image/${long}`]: Buffer.from('long'),
  }
  return {
    options: { folders: [lower, upper], layers: 1 },
    files: listing(files),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

async function writeFiles(folder: string, files: Readonly<Record<string, Buffer>>): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)
}

function listing(files: Readonly<Record<string, Buffer>>): string {
  const lines = Object.entries(files).map(([path, bytes]) => ({
    path,
    line: `${createHash('sha256').update(bytes).digest('hex')}  ${path}\n`,
  }))
  return lines
    .sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
    .map(({ line }) => line)
    .join('')
}
