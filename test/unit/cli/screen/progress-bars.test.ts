import { describe, expect, it } from 'vitest'
import { progressBars } from '../../../../src/cli/screen/progress-bars.ts'
import { digestOf } from '../../../../src/oci/digest.ts'
import type { BlobProgress } from '../../../../src/replication/progress.ts'

const MIB = 2 ** 20
const LAYER = blobOf('layer', { bytes: MIB, size: 4 * MIB })
const CONFIG = blobOf('config', { bytes: 0, size: 512 })

function blobOf(name: string, progress: Pick<BlobProgress, 'bytes' | 'size'>): BlobProgress {
  return { digest: digestOf(Buffer.from(name)), ...progress }
}

function hexOf({ digest }: BlobProgress): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12)
}

describe('progressBars', () => {
  it('draws a line for each blob, one below the other', () => {
    expect(progressBars([LAYER, CONFIG], 70)).toEqual([
      `  ${hexOf(LAYER)}  [=====>                 ]     1.0 MiB of 4.0 MiB   25%`,
      `  ${hexOf(CONFIG)}  [>                      ]         0 B of 512 B      0%`,
    ])
  })

  it('draws no bar longer than 40, and none shorter than 10', () => {
    const lengthAt = (columns: number) => {
      const [line = ''] = progressBars([LAYER], columns)
      return /\[(.*)\]/.exec(line)?.[1]?.length
    }

    expect([200, 79, 57, 56].map(lengthAt)).toEqual([40, 32, 10, undefined])
  })

  it('leaves out what has no room', () => {
    const at = (columns: number) => progressBars([LAYER], columns)

    expect(at(50)).toEqual([`  ${hexOf(LAYER)}     1.0 MiB of 4.0 MiB   25%`])
    expect(at(30)).toEqual([`  ${hexOf(LAYER)}   25%`])
    expect(at(8)).toEqual([`  ${hexOf(LAYER).slice(0, 6)}`])
  })

  it.each([20, 40, 60, 80, 200])('fits %i columns, whatever the blobs are', (columns) => {
    const sizes = [0, 1, 1_023, 1_048_575, 900 * MIB, 2 ** 50]
    const blobs = sizes.flatMap((size) =>
      [0, 1, Math.ceil(size / 3), size, size * 2].map((bytes) =>
        blobOf(`${size}`, { bytes, size }),
      ),
    )

    const lines = progressBars(blobs, columns)

    expect(lines).toHaveLength(blobs.length)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns)
  })

  it.each([
    [{ bytes: 0, size: 0 }, '[====================]', '100%'],
    [{ bytes: 99, size: 100 }, '[===================>]', '99%'],
    [{ bytes: 100, size: 100 }, '[====================]', '100%'],
    [{ bytes: 150, size: 100 }, '[====================]', '100%'],
  ])('draws %j', (progress, bar, percent) => {
    const blob = blobOf('layer', progress)
    const size = `${progress.size} B`
    const amounts = `${`${progress.bytes} B`.padStart(10)} of ${size}`
    const line = `  ${hexOf(blob)}  ${bar}  ${amounts}  ${percent.padStart(4)}`

    expect(progressBars([blob], line.length)).toEqual([line])
  })

  it('draws nothing where nothing comes', () => {
    expect(progressBars([], 80)).toEqual([])
  })
})
