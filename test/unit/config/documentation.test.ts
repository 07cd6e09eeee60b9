import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { configSchema } from '../../../src/config/schema/schema.ts'
import { FORMATS } from '../../../src/events/formats.ts'
import { configOf } from './parsed-yaml.ts'
import { CERTIFICATE, KEY } from './pem-files.ts'

const PAGE = readFileSync('docs/configuration.md', 'utf8')
const CODE_SPANS = [...PAGE.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)

const readAnyFile = (file: string) => (/(pem|crt|key)$/.test(file) ? CERTIFICATE + KEY : 'hunter2')

describe('docs/configuration.md', () => {
  it.each(keysOf(z.toJSONSchema(configSchema, { unrepresentable: 'any', io: 'input' })))(
    'describes the key %s',
    (key) => {
      expect(CODE_SPANS.some((code) => code.split('.').includes(key))).toBe(true)
    },
  )

  it.each(Object.keys(FORMATS))('names the format %s', (format) => {
    expect(CODE_SPANS).toContain(format)
  })

  it.each(yamlBlocks())('shows what is valid: %s', (_, block) => {
    const rest = Object.entries(MINIMAL).filter(([key]) => !block.includes(`${key}:`))
    const text = [block, ...rest.map(([key, value]) => `${key}: ${value}`)].join('\n')

    expect(() => configOf(text, { readAnyFile })).not.toThrow()
  })
})

const MINIMAL = {
  local: '{ url: "http://127.0.0.1:5000" }',
  upstreams:
    '{ hq: { url: "https://a.example" }, dr: { url: "https://b.example" }, hub: { url: "https://c.example" } }',
  projects: '[{ name: other, upstream: hq }]',
}

function yamlBlocks(): [string, string][] {
  return [...PAGE.matchAll(/```yaml\n([^`]*)```/g)].map(([, block = '']) => [
    block.split('\n', 1)[0] ?? '',
    block.replace(/^upstreams:$/m, '$&\n  dr: { url: "https://b.example" }'),
  ])
}

function keysOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const own = 'properties' in schema ? Object.keys(schema.properties ?? {}) : []
  return [...new Set([...own, ...Object.values(schema).flatMap(keysOf)])]
}
