import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../../src/config/config-error.ts'
import { problemsOf, yamlWith } from '../parsed-yaml.ts'
import { type Mistake, saidOf } from './mistake.ts'

const MISTAKES: readonly Mistake[] = [
  [
    'an unset variable',
    { listen: 'listen: ${NOBODY_SETS_THIS}' },
    '1:1  listen: the environment variable NOBODY_SETS_THIS is not set',
  ],
  [
    'a variable without closing brace',
    { listen: 'listen: 0.0.0.0:${PORT' },
    '1:1  listen: expected ${NAME} or ${NAME:-default} after "$" (write $$ for a literal "$")',
  ],
  [
    'a file that is not there',
    { local: 'local: {url: "https://r.example", username: u, passwordFile: gone}' },
    '2:48  local.passwordFile: cannot read the file /etc/pullsync/gone: there is no such file',
  ],
  [
    'an empty secret file',
    { local: 'local: {url: "https://r.example", username: u, passwordFile: /run/empty}' },
    '2:48  local.passwordFile: the file /run/empty is empty',
  ],
  [
    'a key that every object has',
    { projects: 'projects: [{name: team, upstream: hq}]\nconstructor: /run/full' },
    '8:1  constructor: unknown key; known here: redis, listen, trustedProxies, admin, local, upstreams, projects, sources, jobs, misses, outages, spool',
  ],
  [
    'certificates that are none',
    { local: 'local: {url: "https://r.example", caFile: /run/full}' },
    '2:35  local.caFile: the file /run/full holds no certificate: expected PEM text (-----BEGIN CERTIFICATE-----)',
  ],
  [
    'an unquoted star',
    { projects: 'projects:\n  - {name: team, upstream: hq, tags: {include: [*]}}' },
    '8:49  a value that starts with "*" is a YAML alias: put it in quotes',
  ],
  [
    'two unquoted stars',
    { projects: 'projects:\n  - {name: team, upstream: hq, tags: {include: [**]}}' },
    '8:49  projects[0].tags.include[0]: a value that starts with "*" is a YAML alias: put it in quotes',
  ],
  [
    'a key that stands twice',
    { listen: 'listen: :1\nlisten: :2' },
    '2:1  the key stands here twice',
  ],
  [
    'a merge of what is no mapping',
    { projects: 'projects:\n  - {name: team, upstream: hq, <<: [1]}' },
    '8:32  projects[0]["<<"]: expected a mapping to merge in, or an alias of one',
  ],
  [
    'a tab',
    { local: 'local:\n\turl: http://127.0.0.1:5000' },
    '3:1  indent with spaces: YAML allows no tabs there',
  ],
  [
    'a second document',
    { more: '---\nlisten: :1' },
    '15:1  expected one YAML document, and "---" begins another',
  ],
  [
    'a list as the whole',
    { listen: '- a', local: '', upstreams: '', projects: '', sources: '' },
    '1:1  expected a mapping (keys with values), got a list',
  ],
]

describe('a configuration with a mistake', () => {
  it.each(MISTAKES)('says what is wrong with %s', (_, parts, expected) => {
    expect(saidOf(parts)).toBe(`pullsync.yaml:${expected}`)
  })

  it('lists five mistakes at once, in the order of the file', () => {
    const text = yamlWith({
      listen: 'listen: 8080',
      local:
        'local: {url: "http://127.0.0.1:5000", username: "${NOBODY_SETS_THIS}", passwordFile: gone}',
      projects: 'projects:\n  - {name: team, upstream: hg, onMis: stream}',
    })

    expect(problemsOf(text).map(({ line, path }) => [line, path])).toEqual([
      [1, 'listen'],
      [2, 'local.username'],
      [2, 'local.passwordFile'],
      [7, 'projects[0].upstream'],
      [7, 'projects[0].onMis'],
    ])
  })

  it('still finds what stands before a YAML error, and guesses at nothing after it', () => {
    const text = yamlWith({
      listen: 'listen: 8080',
      projects: 'projects: [{name: team, upstream: hg}',
    })

    expect(problemsOf(text).map(({ line, path }) => [line, path])).toEqual([
      [1, 'listen'],
      [8, ''],
    ])
  })

  it('says so when the file is empty', () => {
    const [problem] = problemsOf('# nothing yet\n')

    expect(problem?.message).toContain('the file is empty: expected at least local, upstreams')
  })

  it.each([
    ['an alias bomb', `${bomb()}\n`, 'stand for too many values'],
    ['a depth that exhausts the parser', '['.repeat(5_000), 'nested too deeply'],
    ['a depth of lists', `a: \n ${'- '.repeat(5_000)}`, 'nested too deeply'],
    ['a depth by indentation', deep(), 'nested too deeply'],
  ])('refuses %s', (_, text, expected) => {
    const [problem] = problemsOf(text)

    expect(problem?.message).toContain(expected)
  })

  it.each([
    ['secret: ${SECRET}'],
    ['secret: [hunter2, 7]'],
    ['secret: 1928374'],
    ['secret: [a, 1928374]'],
    ['secret: {hunter2: 1}'],
    ['secret: *hunter2'],
    ['secret: "hunter2'],
    ['secret: hunter2, scret: hunter2'],
    ['secret: !hunter2 x'],
    ['secret: [a, b, hunter2]'],
    ['registry: "https://me:hunter2/x@hq.example"'],
    ['registry: "${SECRET}"'],
    ['secret: "x" hunter2'],
  ])('never shows a secret: %s', (line) => {
    const text = yamlWith({ sources: `sources:\n  edge: {format: distribution, ${line}}` })
    const problems = problemsOf(text, { env: { SECRET: 'hunter2' } })

    expect(problems).not.toEqual([])
    expect(new ConfigError('f', problems).message).not.toMatch(/hunter2|1928374/)
  })
})

function bomb(): string {
  const levels = Array.from({ length: 12 }, (_, level) => {
    const from = level === 0 ? 'x' : `*a${level - 1}`
    return `a${level}: &a${level} [${Array<string>(9).fill(from).join(', ')}]`
  })
  return levels.join('\n')
}

function deep(): string {
  return Array.from({ length: 3_000 }, (_, level) => `${' '.repeat(level)}a:`).join('\n')
}
