import { describe, expect, it } from 'vitest'
import { tableLines } from '../../../../src/cli/screen/table.ts'

describe('tableLines', () => {
  it('aligns columns, without lines around them', () => {
    const lines = tableLines(
      ['ID', 'STATE'],
      [
        ['hq-1', 'failed'],
        ['a-much-longer-id', ''],
      ],
    )

    expect(lines).toEqual([
      'ID                STATE',
      'hq-1              failed',
      'a-much-longer-id  -',
    ])
  })

  it('cuts nothing', () => {
    const long = 'x'.repeat(500)

    expect(tableLines(['A'], [[long]])).toContain(long)
  })
})
