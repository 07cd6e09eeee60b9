import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { type Import, type ImportRules, partOf, violations } from './support/import-rules.ts'

// Imports point down only: each part may import what stands above it in this list, if named.
const PURE = ['src/oci', 'src/events', 'src/replication']
const BELOW_FEATURES = [
  ...PURE,
  ...['src/version.ts', 'src/policy', 'src/config', 'src/lifecycle', 'src/telemetry'],
  ...['src/http', 'src/registry', 'src/queue', 'src/spool'],
]
const FEATURES = ['src/webhook', 'src/gateway', 'src/dashboard', 'src/cli']
const ALL_OF_SRC = [...BELOW_FEATURES, ...FEATURES, 'src']

const RULES: ImportRules = {
  parts: {
    'src/version.ts': [],
    'src/oci': [],
    'src/events': ['src/oci'],
    'src/replication': ['src/oci'],
    'src/policy': PURE,
    'src/config': [...PURE, 'src/policy'],
    'src/lifecycle': [],
    'src/telemetry': [...PURE, 'src/policy', 'src/config'],
    'src/http': [...PURE, 'src/config', 'src/lifecycle', 'src/telemetry'],
    'src/registry': ['src/oci', 'src/replication', 'src/config'],
    'src/spool': ['src/oci', 'src/http'],
    'src/queue': ['src/oci', 'src/events', 'src/replication', 'src/config'],
    // Features never import each other.
    ...Object.fromEntries(FEATURES.map((feature) => [feature, BELOW_FEATURES])),
    // The roots: files of no folder.
    src: ALL_OF_SRC,
    workers: ALL_OF_SRC,
    'pullsync.ts': [...ALL_OF_SRC, 'workers'],
  },
  libraries: {
    '@aws-sdk/client-ecr': ['src/registry'],
    '@aws-sdk/client-ecr-public': ['src/registry'],
    '@azure/identity': ['src/registry'],
    '@bull-board/api': ['src/dashboard'],
    '@bull-board/express': ['src/dashboard'],
    axios: ['src/registry'],
    bullmq: ['src/queue'],
    'cli-table3': ['src/cli'],
    commander: ['src/cli'],
    express: ['src/http', 'src/webhook', 'src/gateway', 'src/dashboard'],
    'google-auth-library': ['src/registry'],
    ioredis: ['src/queue'],
    jose: ['src/events', 'src/webhook'],
    picomatch: ['src/policy', 'src/cli'],
    'prom-client': ['src/telemetry'],
    winston: ['src/telemetry'],
    yaml: ['src/config'],
    zod: ['src/config', 'src/events', 'src/gateway', 'src/queue', 'src/registry'],
  },
}

describe('the sources', () => {
  it('import only what lies below them, and libraries only in the folder that owns them', async () => {
    const imports = await readImports()

    expect(imports.length).toBeGreaterThan(100)
    expect(violations(imports, RULES)).toEqual([])
  })

  it('are each in a part that the rules name', async () => {
    const files = await sourceFiles()

    expect(files.filter((file) => partOf(file, RULES) === undefined)).toEqual([])
    // A new folder under src would otherwise pass as a root, which may import everything.
    const loose = files.filter(
      (file) => partOf(file, RULES) === 'src' && file.split('/').length > 2,
    )
    expect(loose).toEqual([])
  })
})

describe('the rules', () => {
  it.each([
    ['a lower folder that imports a higher one', 'src/oci/digest.ts', '../queue/queues.ts'],
    ['a feature that imports another', 'src/webhook/route.ts', '../cli/table.ts'],
    ['a folder that imports a root', 'src/queue/queues.ts', '../serve.ts'],
    ['src importing workers', 'src/serve.ts', '../workers/worker.ts'],
    ['sources importing tests', 'src/oci/digest.ts', '../../test/support/image.ts'],
    ['workers importing the command line', 'workers/worker.ts', '../pullsync.ts'],
    ['a library outside its owner', 'src/queue/queues.ts', 'axios'],
    ["a library's subpath outside its owner", 'src/cli/cli.ts', '@bull-board/api/bullMQAdapter'],
    ['a library without an owner', 'src/oci/digest.ts', 'lodash'],
  ])('name %s', (_, from, specifier) => {
    const found = violations([{ from, specifier }], RULES)

    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`${from} imports ${specifier}: `)
  })

  it.each([
    ['within a folder', 'src/events/formats/quay.ts', '../told.ts'],
    ['downwards', 'src/cli/commands/sync.ts', '../../queue/queues.ts'],
    ['from a root', 'workers/worker.ts', '../src/dashboard/dashboard.ts'],
    ['of a library by its owner', 'src/dashboard/dashboard.ts', '@bull-board/api/bullMQAdapter'],
    ['of Node itself', 'src/oci/digest.ts', 'node:crypto'],
  ])('allow an import %s', (_, from, specifier) => {
    expect(violations([{ from, specifier }], RULES)).toEqual([])
  })
})

async function readImports(): Promise<readonly Import[]> {
  const perFile = (await sourceFiles()).map(async (from) => {
    const { importedFiles } = ts.preProcessFile(await readFile(from, 'utf8'), true, true)
    return importedFiles.map(({ fileName }) => ({ from, specifier: fileName }))
  })
  return (await Promise.all(perFile)).flat()
}

async function sourceFiles(): Promise<readonly string[]> {
  const folders = ['src', 'workers'].map(async (folder) => {
    const entries = await readdir(folder, { recursive: true })
    return entries.filter((entry) => entry.endsWith('.ts')).map((entry) => join(folder, entry))
  })
  return [...(await Promise.all(folders)).flat(), 'pullsync.ts']
}
