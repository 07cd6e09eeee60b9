import { describe, expect, it } from 'vitest'
import { fittedLines } from '../../../../src/cli/screen/fitted-table.ts'

const TABLE = {
  head: ['ID', 'IMAGE', 'TRIES', 'AGE'],
  rows: [
    ['hq-1', 'team/app:1.0', '1/5', '3 min'],
    ['hq-2', 'team/a-longer-name:2.0', '0/5', '1 min'],
  ],
  spare: ['TRIES', 'AGE'],
}

describe('a table that fits a terminal', () => {
  it('is whole where there is room', () => {
    expect(fittedLines(TABLE, 42)).toEqual([
      'ID    IMAGE                   TRIES  AGE',
      'hq-1  team/app:1.0            1/5    3 min',
      'hq-2  team/a-longer-name:2.0  0/5    1 min',
    ])
  })

  it('leaves out what is missed least, and no more of it than it must', () => {
    expect(fittedLines(TABLE, 41)).toEqual([
      'ID    IMAGE                   AGE',
      'hq-1  team/app:1.0            3 min',
      'hq-2  team/a-longer-name:2.0  1 min',
    ])
  })

  it('cuts the widest column where that is not enough', () => {
    expect(fittedLines(TABLE, 20)).toEqual([
      'ID    IMAGE',
      'hq-1  team/app:1.0',
      'hq-2  team/a-longer…',
    ])
  })

  it('cuts sentences before it leaves anything out', () => {
    const table = {
      head: ['ID', 'TRIES', 'REASON'],
      rows: [['hq-1', '1/5', 'the registry answered 503']],
      spare: ['TRIES'],
      elastic: { head: 'REASON', least: 12 },
    }

    expect(fittedLines(table, 26)).toEqual(['ID    TRIES  REASON', 'hq-1  1/5    the registry…'])
    expect(fittedLines(table, 20)).toEqual(['ID    REASON', 'hq-1  the registry …'])
  })

  it.each([4, 10, 17, 33])('has no line that is longer than %i', (columns) => {
    for (const line of fittedLines(TABLE, columns)) {
      expect(line.length).toBeLessThanOrEqual(columns)
    }
  })
})
