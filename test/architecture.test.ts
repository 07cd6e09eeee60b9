import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import {
  circles,
  type Import,
  type ImportRules,
  partOf,
  violations,
} from './support/vitest/import-rules.ts'

/** A hall under src: what it may import, and its wings, each with the wings beside it that it may import. */
interface Hall {
  readonly imports: readonly string[]
  readonly wings?: Readonly<Record<string, readonly string[]>>
}

const FEATURES_IMPORT = [
  ...[
    'version.ts',
    'waiting',
    'text',
    'lifecycle',
    'oci',
    'events',
    'replication',
    'policy',
    'config',
  ],
  ...['telemetry', 'http', 'http-client', 'registry', 'pool', 'queue', 'spool', 'explain'],
]

// Imports point down only: each hall may import what stands above it in this list, if named. A wing
// may import what its hall may, its hall's own files, and the wings beside it that are named.
const HALLS: Readonly<Record<string, Hall>> = {
  'version.ts': { imports: [] },
  'thrown.ts': { imports: [] },
  waiting: { imports: [] },
  text: { imports: [] },
  lifecycle: { imports: [] },
  'http-client': { imports: [] },
  oci: { imports: [] },
  events: { imports: ['oci'], wings: { proof: [], formats: ['proof'] } },
  replication: { imports: ['oci', 'waiting'], wings: { pace: [], graph: ['pace'] } },
  policy: { imports: ['oci', 'events', 'replication'] },
  config: {
    imports: ['oci', 'events', 'policy'],
    wings: { reading: [], schema: ['reading'], rules: ['reading', 'schema'] },
  },
  telemetry: {
    imports: ['version.ts', 'text', 'oci', 'events', 'replication', 'policy', 'config', 'waiting'],
    wings: { reports: [], traces: [] },
  },
  http: { imports: ['events', 'lifecycle', 'telemetry', 'waiting'], wings: { limits: [] } },
  registry: {
    imports: ['oci', 'replication', 'config', 'waiting', 'http-client'],
    wings: {
      words: [],
      errors: ['words'],
      network: ['words'],
      transport: ['words', 'errors', 'network'],
      credentials: ['words', 'errors', 'network', 'transport'],
      auth: ['words', 'errors', 'network', 'transport', 'credentials'],
      content: ['words', 'errors', 'transport', 'harbor'],
      upload: ['words', 'errors', 'transport'],
      harbor: ['words', 'errors', 'transport', 'credentials'],
    },
  },
  pool: { imports: ['oci', 'replication', 'config', 'waiting'], wings: { gateways: [] } },
  queue: {
    imports: ['oci', 'replication', 'config', 'waiting', 'pool'],
    wings: { offer: [], work: [], records: [], resync: ['work'] },
  },
  explain: { imports: ['text', 'oci', 'policy', 'config', 'pool', 'queue', 'replication'] },
  spool: { imports: ['oci', 'http', 'waiting'] },
  'first-pull': {
    imports: ['oci', 'replication', 'http', 'lifecycle', 'pool', 'spool', 'waiting'],
  },
  // Features never import each other.
  webhook: { imports: FEATURES_IMPORT, wings: { notifications: [] } },
  gateway: {
    imports: FEATURES_IMPORT,
    wings: {
      framing: [],
      local: ['framing'],
      'token-service': ['framing', 'local'],
      rights: ['framing', 'local'],
      blobs: ['framing', 'local', 'rights'],
      manifests: ['framing', 'local', 'rights', 'blobs'],
      lists: ['framing', 'local', 'manifests'],
      tags: ['framing', 'local', 'rights', 'lists'],
      referrers: ['framing', 'local', 'rights', 'lists'],
      announced: ['blobs', 'lists', 'manifests'],
    },
  },
  dashboard: { imports: FEATURES_IMPORT, wings: { overview: [] } },
  cli: {
    imports: FEATURES_IMPORT,
    wings: {
      screen: [],
      redis: ['screen'],
      jobs: ['screen'],
      online: ['redis'],
      nodes: [],
      setup: [],
      completion: ['redis', 'jobs'],
      init: ['screen'],
      commands: [
        'screen',
        'redis',
        'jobs',
        'online',
        'nodes',
        'setup',
        'completion',
        'init',
        'commands/jobs',
      ],
      'commands/jobs': ['screen', 'redis', 'jobs'],
    },
  },
}

const partsOf = (name: string): readonly string[] => [
  `src/${name}`,
  ...Object.keys(HALLS[name]?.wings ?? {}).map((wing) => `src/${name}/${wing}`),
]
const ALL_OF_SRC = [...Object.keys(HALLS).flatMap(partsOf), 'src/roots']

function partsWithRules(): Record<string, readonly string[]> {
  const parts: Record<string, readonly string[]> = {}
  for (const [name, { imports, wings = {} }] of Object.entries(HALLS)) {
    // What is thrown anywhere may be anything.
    const below = ['src/thrown.ts', ...imports.flatMap(partsOf)]
    parts[`src/${name}`] = [...below, ...partsOf(name)]
    for (const [wing, beside] of Object.entries(wings)) {
      parts[`src/${name}/${wing}`] = [
        ...below,
        `src/${name}`,
        ...beside.map((other) => `src/${name}/${other}`),
      ]
    }
  }
  return parts
}

const RULES: ImportRules = {
  parts: {
    ...partsWithRules(),
    'src/roots': ALL_OF_SRC,
    workers: ALL_OF_SRC,
    'pullsync.ts': [...ALL_OF_SRC, 'workers'],
  },
  libraries: {
    '@aws-sdk/client-ecr': ['src/registry'],
    '@aws-sdk/client-ecr-public': ['src/registry'],
    '@azure/identity': ['src/registry'],
    '@bull-board/api': ['src/dashboard'],
    '@bull-board/express': ['src/dashboard'],
    '@opentelemetry/api': ['src/telemetry'],
    axios: ['src/registry'],
    bullmq: ['src/queue'],
    'cli-table3': ['src/cli'],
    commander: ['src/cli'],
    express: ['src/http', 'src/webhook', 'src/gateway', 'src/dashboard'],
    'google-auth-library': ['src/registry'],
    ioredis: ['src/pool', 'src/queue'],
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
  })
})

describe('the folders', () => {
  it('hold fourteen files at most, so that one look takes them in', async () => {
    const perFolder = new Map<string, number>()
    for (const file of [...(await sourceFiles()), ...(await typescriptIn('test', 'bench'))]) {
      perFolder.set(dirname(file), (perFolder.get(dirname(file)) ?? 0) + 1)
    }
    // One file for each product that sends events, all alike.
    perFolder.delete('src/events/formats')

    expect([...perFolder].filter(([, files]) => files > MAX_FILES)).toEqual([])
  })

  it('of more than five files each have a README of five to twenty lines', async () => {
    const files = await sourceFiles()
    const folders = new Set(files.map((file) => dirname(file)))
    const large = [...folders].filter(
      (folder) => files.filter((file) => dirname(file) === folder).length > 5,
    )
    const lengths = await Promise.all(
      large.map(async (folder) => [folder, (await folderReadme(folder)).length] as const),
    )

    expect(lengths.filter(([, lines]) => lines < 5 || lines > 20)).toEqual([])
  })
})

describe('the files', () => {
  it('import each other in no circle', async () => {
    const graph = new Map<string, readonly string[]>()
    for (const { from, specifier } of await readImports()) {
      if (!specifier.startsWith('.')) continue
      graph.set(from, [...(graph.get(from) ?? []), join(dirname(from), specifier)])
    }

    expect(circles(graph)).toEqual([])
  })

  it('that import each other are named as a circle', () => {
    const graph = new Map([
      ['a.ts', ['b.ts', 'd.ts']],
      ['b.ts', ['c.ts']],
      ['c.ts', ['a.ts']],
    ])

    expect(circles(graph)).toEqual(['a.ts → b.ts → c.ts → a.ts'])
  })
})

describe('the rules', () => {
  it.each([
    ['a lower folder that imports a higher one', 'src/oci/digest.ts', '../queue/queues.ts'],
    ['a feature that imports another', 'src/webhook/route.ts', '../cli/table.ts'],
    ['a folder that imports a root', 'src/queue/queues.ts', '../roots/serve.ts'],
    ['src importing workers', 'src/roots/serve.ts', '../../workers/worker.ts'],
    ['a wing that imports one above it', 'src/registry/words/links.ts', '../auth/tokens.ts'],
    ['sources importing tests', 'src/oci/digest.ts', '../../test/support/images/image.ts'],
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

const MAX_FILES = 14

async function folderReadme(folder: string): Promise<readonly string[]> {
  const text = await readFile(join(folder, 'README.md'), 'utf8').catch(() => '')
  return text.split('\n').filter((line) => line.trim() !== '')
}

async function readImports(): Promise<readonly Import[]> {
  const perFile = (await sourceFiles()).map(async (from) => {
    const { importedFiles } = ts.preProcessFile(await readFile(from, 'utf8'), true, true)
    return importedFiles.map(({ fileName }) => ({ from, specifier: fileName }))
  })
  return (await Promise.all(perFile)).flat()
}

async function sourceFiles(): Promise<readonly string[]> {
  return [...(await typescriptIn('src', 'workers')), 'pullsync.ts']
}

async function typescriptIn(...folders: readonly string[]): Promise<readonly string[]> {
  const found = folders.map(async (folder) => {
    const entries = await readdir(folder, { recursive: true })
    return entries.filter((entry) => entry.endsWith('.ts')).map((entry) => join(folder, entry))
  })
  return (await Promise.all(found)).flat()
}
