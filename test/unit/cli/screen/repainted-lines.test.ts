import { describe, expect, it } from 'vitest'
import { RepaintedLines } from '../../../../src/cli/screen/repainted-lines.ts'
import { Screen } from '../../../support/process/screen.ts'

function painted(columns = 40, rows = 24) {
  const screen = new Screen({ columns, rows })
  screen.write('$ pullsync sync\n')
  return { screen, lines: new RepaintedLines(screen) }
}

describe('RepaintedLines', () => {
  it('paints over what was there, be it longer or more', () => {
    const { screen, lines } = painted()

    lines.paint(['whole: 1', 'a long line', 'another'])
    expect(screen.lines).toEqual(['$ pullsync sync', 'whole: 1', 'a long line', 'another'])
    lines.paint(['whole: 2', 'short', 'another', 'one more'])
    expect(screen.lines).toEqual(['$ pullsync sync', 'whole: 2', 'short', 'another', 'one more'])
    lines.paint(['3'])

    expect(screen.lines).toEqual(['$ pullsync sync', '3'])
  })

  it('leaves nothing when it is cleared', () => {
    const { screen, lines } = painted()
    lines.paint(['whole', 'blob', 'blob'])

    lines.clear()
    screen.write('copied\n')

    expect(screen.lines).toEqual(['$ pullsync sync', 'copied'])
  })

  it('clears nothing that somebody else wrote', () => {
    const { screen, lines } = painted()

    lines.clear()
    lines.paint(['whole'])
    lines.clear()
    lines.clear()

    expect(screen.lines).toEqual(['$ pullsync sync'])
  })

  it('stays when it is left', () => {
    const { screen, lines } = painted()
    lines.paint(['whole', 'blob'])

    lines.leave()
    lines.leave()
    screen.write('stopped\n')

    expect(screen.lines).toEqual(['$ pullsync sync', 'whole', 'blob', 'stopped'])
  })

  it('never wraps', () => {
    const { screen, lines } = painted(10)

    for (let n = 0; n < 3; n += 1) lines.paint([`${n} is a long line`, 'exactly 10', '9 columns'])

    expect(screen.lines.slice(-3)).toEqual(['2 is a lo', 'exactly 1', '9 columns'])
    expect(screen.lines).toHaveLength(5)
  })

  it('never scrolls what it could not paint over any more', () => {
    const { screen, lines } = painted(40, 3)

    for (let n = 0; n < 3; n += 1) lines.paint([`whole ${n}`, 'a', 'b', 'c', 'd'])

    expect(screen.lines).toEqual(['$ pullsync sync', 'whole 2', 'a', 'b'])
  })

  it('finds its first line on a terminal that was made narrower', () => {
    const { screen, lines } = painted(40)
    lines.paint(['a line of more than twenty columns', 'short', 'and a second one of that length'])

    screen.narrow(20)
    lines.paint(['whole', 'blob'])

    expect(screen.lines).toEqual(['$ pullsync sync', 'whole', 'blob'])
  })
})
