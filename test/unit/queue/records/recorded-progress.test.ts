import { describe, expect, it } from 'vitest'
import { parseProgress } from '../../../../src/queue/records/recorded-progress.ts'

const WHOLE = { bytes: 1, totalBytes: 3, blobs: 0, totalBlobs: 2 }
const LAYER = { digest: `sha256:${'0'.repeat(64)}`, bytes: 1, size: 2 }

describe('parseProgress', () => {
  it('reads what a worker wrote', () => {
    const written = { ...WHOLE, underWay: [LAYER] }

    expect(parseProgress(JSON.parse(JSON.stringify(written)))).toEqual(written)
  })

  it('reads what an older worker wrote, which told of no single blob', () => {
    expect(parseProgress(WHOLE)).toEqual({ ...WHOLE, underWay: [] })
  })

  it.each([
    ['text', 'soon'],
    ['blobs without a size', [{ digest: LAYER.digest, bytes: 1 }]],
    ['a digest that would move the cursor', [{ ...LAYER, digest: 'sha256:\u001b[2J' }]],
    ['less than nothing', [{ ...LAYER, bytes: -1 }]],
  ])('keeps the whole where the blobs are %s', (_, underWay) => {
    expect(parseProgress({ ...WHOLE, underWay })).toEqual({ ...WHOLE, underWay: [] })
  })

  it.each([[0], ['50%'], [null], [undefined], [{ bytes: 1 }]])('finds none in %j', (data) => {
    expect(parseProgress(data)).toBeUndefined()
  })
})
