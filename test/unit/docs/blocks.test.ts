import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { configSchema } from '../../../src/config/schema/schema.ts'
import { blocksOf, pages } from '../../support/process/pages.ts'
import { run } from '../../support/process/run.ts'
import { configOf } from '../config/parsed-yaml.ts'
import { CERTIFICATE, KEY } from '../config/pem-files.ts'

const FOR_USERS = pages().filter(({ path }) => /^(?:README|SECURITY|docs|deploy)\b/.test(path))
const BLOCKS = FOR_USERS.flatMap(blocksOf)
const SHELL = BLOCKS.filter(({ language }) => language === 'sh')
const KEYS = Object.keys(z.toJSONSchema(configSchema, { unrepresentable: 'any', io: 'input' }).properties ?? {})
const SCRIPTS = Object.keys(
  (JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: object }).scripts,
)

describe('what is to be pasted', () => {
  it.each(SHELL.map(({ page, text }) => [page, text]))('in %s is shell: %s', async (_, text) => {
    const { code, stderr } = await run('bash', ['-n', '-c', text])

    expect({ code, stderr: stderr.toString() }).toEqual({ code: 0, stderr: '' })
  })

  it('names files and scripts of this repository that are there', () => {
    const words = SHELL.flatMap(({ text }) => text.split(/[\s"'=]+/))
    const files = words.filter((word) => /^(?:deploy|scripts)\/[\w./@-]+$/.test(word))
    const scripts = SHELL.flatMap(({ text }) => [...text.matchAll(/\bnpm run (?:--?\w+ )*([\w:]+)/g)])

    expect(files.length).toBeGreaterThan(3)
    expect(files.filter((file) => !existsSync(file))).toEqual([])
    expect(scripts.map(([, name]) => name).filter((name) => !SCRIPTS.includes(name ?? ''))).toEqual([])
  })

  it.each(configurations())('in %s is a configuration: %s', (_, text) => {
    expect(() => configOf(text, { readAnyFile: secretIn, env: ENV })).not.toThrow()
  })
})

/** What passes for each kind of file. */
const secretIn = (file: string) => {
  if (file.endsWith('json')) return '{ "auths": {} }'
  return /\.(?:pem|crt|key)$/.test(file) ? CERTIFICATE + KEY : 'secret-of-the-pages'
}
const ENV = { PASSWORD: 'hunter2' }

/** What configuration.md shows has a test of its own. */
function configurations(): [string, string][] {
  return BLOCKS.filter(
    ({ page, language }) => language === 'yaml' && page !== 'docs/configuration.md',
  )
    .filter(({ text }) => keysIn(text).every((key) => KEYS.includes(key)))
    .map(({ page, text }) => [page, completed(text)])
}

/** With what it leaves to other parts of the page. */
function completed(text: string): string {
  const named = [...text.matchAll(/\b(?:registry|upstream): ([\w-]+)/g)].map(([, id = '']) => id)
  const others = new Set([...named, 'hq'].filter((id) => id !== 'local'))
  const upstreams = [...others].map((id) => `${id}: { url: "https://${id}.example" }`)
  const parts = {
    local: '{ url: "http://127.0.0.1:5000" }',
    upstreams: `{ ${upstreams.join(', ')} }`,
    projects: `[{ name: other, upstream: ${/^upstreams:\s+([\w-]+):/m.exec(text)?.[1] ?? 'hq'} }]`,
  }
  const rest = Object.entries(parts).filter(([key]) => !keysIn(text).includes(key))
  return [text, ...rest.map(([key, value]) => `${key}: ${value}`)].join('\n')
}

function keysIn(text: string): readonly string[] {
  return Object.keys((parse(text) ?? {}) as object)
}
