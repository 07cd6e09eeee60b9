import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { readFile, writeFile } from 'node:fs/promises'
import { goProgram, missingProgram } from '../support/process/go-program.ts'
import { run } from '../support/process/run.ts'
import { runPullsync } from '../support/process/pullsync-process.ts'
import { tempFolder } from '../support/process/temp-folder.ts'

const CHART = 'deploy/helm/pullsync'
const helm = goProgram('helm') ?? ''

/** What of a Kubernetes object the tests look at. */
interface KubernetesObject {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: Readonly<Record<string, unknown>>
}

async function render(...args: string[]): Promise<readonly KubernetesObject[]> {
  const { code, stdout, stderr } = await run(helm, ['template', 'edge', CHART, ...args])
  if (code !== 0) throw new Error(stderr.toString('utf8'))
  return parseAllDocuments(stdout.toString('utf8')).map(
    (document) => document.toJS() as KubernetesObject,
  )
}

/** What of a container the tests look at. */
interface Container {
  readonly readinessProbe?: unknown
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: string[] } } }
}

async function containerOf(component: string, ...args: string[]): Promise<Container> {
  const objects = await render(...args)
  const name = `edge-pullsync-${component}`
  const deployment = objects.find(
    ({ kind, metadata }) => kind === 'Deployment' && metadata.name === name,
  )
  const template = deployment?.spec?.['template'] as PodTemplate
  return template.spec.containers[0] ?? {}
}

interface PodTemplate {
  readonly spec: { readonly containers: readonly Container[] }
}

function kinds(objects: readonly KubernetesObject[]): readonly string[] {
  return objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()
}

describe('the files of the Helm chart', () => {
  // A chart takes nothing from outside of its folder.
  it.each([
    ['prometheus', 'alerts.yml'],
    ['grafana', 'pullsync.json'],
  ])('are those of deploy/%s: %s', async (folder, file) => {
    const original = await readFile(join('deploy', folder, file), 'utf8')

    expect(await readFile(join(CHART, 'files', file), 'utf8')).toBe(original)
  })
})

it('The Helm chart is of this version of pullsync', async () => {
  const chart = parse(await readFile(join(CHART, 'Chart.yaml'), 'utf8')) as Versioned
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as Versioned

  expect(chart).toMatchObject({ version, appVersion: version })
})

interface Versioned {
  readonly version: string
}

describe.skipIf(helm === '')(`the Helm chart${missingProgram('helm')}`, () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  beforeAll(async () => {
    folder = await tempFolder('chart')
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it.each(['trial', 'site', 'sentinels'])('passes lint with the values of %s', async (values) => {
    const { code, stdout } = await run(helm, [
      ...['lint', CHART, '--strict', '--values', `${CHART}/ci/${values}.yaml`],
    ])

    expect(stdout.toString('utf8')).toContain('0 chart(s) failed')
    expect(code).toBe(0)
  })

  it('brings a Redis of its own for a trial, and nothing that needs more than Kubernetes', async () => {
    const objects = await render('--values', `${CHART}/ci/trial.yaml`)

    expect(kinds(objects)).toEqual([
      'ConfigMap edge-pullsync',
      'Deployment edge-pullsync-serve',
      'Deployment edge-pullsync-worker',
      'NetworkPolicy edge-pullsync-redis',
      'PodDisruptionBudget edge-pullsync-serve',
      'PodDisruptionBudget edge-pullsync-worker',
      'Service edge-pullsync',
      'Service edge-pullsync-redis',
      'ServiceAccount edge-pullsync',
      'StatefulSet edge-pullsync-redis',
    ])
  })

  it('brings routes, metrics and scaling where they are asked for', async () => {
    const objects = await render('--values', `${CHART}/ci/site.yaml`)

    expect(kinds(objects)).toEqual(
      expect.arrayContaining([
        'ConfigMap edge-pullsync-dashboard',
        'HTTPRoute edge-pullsync',
        'Ingress edge-pullsync',
        'NetworkPolicy edge-pullsync',
        'PrometheusRule edge-pullsync',
        'ScaledObject edge-pullsync-worker',
        'ServiceMonitor edge-pullsync',
      ]),
    )
    expect(kinds(objects).filter((kind) => kind.startsWith('StatefulSet'))).toEqual([])
    // The number of replicas is KEDA's then.
    const worker = objects.find(({ metadata }) => metadata.name === 'edge-pullsync-worker')
    expect(Object.keys(worker?.spec ?? {})).not.toContain('replicas')
  })

  it('writes a configuration that pullsync takes', async () => {
    const objects = await render('--values', `${CHART}/ci/trial.yaml`)
    const config = objects.find(({ kind }) => kind === 'ConfigMap')?.data?.['pullsync.yaml'] ?? ''
    const file = join(folder.path, 'pullsync.yaml')
    await writeFile(file, config)

    const { code, stdout, stderr } = await runPullsync(['check', '--config', file])

    expect(stderr).toBe('')
    expect(stdout).toContain('is valid: 1 upstream, 1 project')
    expect(code).toBe(0)
  })

  it('tells pullsync of Sentinels, with the secrets where the pods have them', async () => {
    const objects = await render('--values', `${CHART}/ci/sentinels.yaml`)
    const config = objects.find(({ kind }) => kind === 'ConfigMap')?.data?.['pullsync.yaml'] ?? ''

    expect((parse(config) as { readonly redis: unknown }).redis).toEqual({
      sentinels: ['sentinel-0.redis:26379', 'sentinel-1.redis:26379', 'sentinel-2.redis:26379'],
      name: 'jobs',
      tls: true,
      caFile: '/run/secrets/pullsync/redis-ca.pem',
      passwordFile: '/run/secrets/redis/password',
      sentinelLogin: { passwordFile: '/run/secrets/sentinel/password' },
    })
    for (const { spec } of objects.filter(({ kind }) => kind === 'Deployment')) {
      const pod = JSON.stringify(spec)
      expect(pod).toContain('"mountPath":"/run/secrets/redis"')
      expect(pod).toContain('"mountPath":"/run/secrets/sentinel"')
      expect(pod).toContain('"items":[{"key":"sentinel-password","path":"password"}]')
    }
  })

  it('tells pullsync of the nodes of a Redis Cluster', async () => {
    const objects = await render('--set', 'redis.cluster={a:6379,b:6379}')
    const config = objects.find(({ kind }) => kind === 'ConfigMap')?.data?.['pullsync.yaml'] ?? ''

    expect(parse(config)).toMatchObject({ redis: { cluster: ['a:6379', 'b:6379'] } })
  })

  it('leaves serve among those that are asked while Redis is away, for what is here', async () => {
    for (const values of ['trial', 'site']) {
      const { readinessProbe } = await containerOf(
        'serve',
        '--values',
        `${CHART}/ci/${values}.yaml`,
      )

      expect(readinessProbe).toMatchObject({ tcpSocket: { port: 'http' } })
    }
  })

  it('stops serve only once nobody is sent there any more', async () => {
    const { lifecycle } = await containerOf('serve', '--values', `${CHART}/ci/trial.yaml`)
    const [command = '', ...args] = lifecycle?.preStop.exec.command ?? []

    // Also where the image has no shell.
    expect(command).toBe('node')
    expect((await run(command, args)).code).toBe(0)
  })

  it('starts the pods anew for what they take up at the start only', async () => {
    const pods = async (...settings: string[]) =>
      (await render('--values', `${CHART}/ci/site.yaml`, ...settings))
        .filter(({ kind }) => kind === 'Deployment')
        .map(({ spec }) => JSON.stringify(spec?.['template']))
    const before = await pods()

    expect(before).toHaveLength(2)
    expect(await pods('--set', 'config.projects[0].name=other')).toEqual(before)
    for (const setting of ['redis.url=redis://elsewhere:6379', 'config.admin.password=changed']) {
      const after = await pods('--set', setting)
      expect(after.filter((pod) => before.includes(pod))).toEqual([])
    }
  })

  const trial = ['--set', 'redis.trial.enabled=true']
  it.each([
    ['no Redis at all', "at '/redis'", []],
    ['Sentinels without a name', "at '/redis'", ['--set', 'redis.sentinels={a:26379}']],
    [
      'a Redis and a Redis Cluster',
      "at '/redis'",
      ['--set', 'redis.url=redis://a:1', '--set', 'redis.cluster={b:6379}'],
    ],
    ['two', "at '/redis'", [...trial, '--set', 'redis.url=redis://elsewhere:6379']],
    [
      'a Redis in the configuration, beside the one of the values',
      "at '/config/redis'",
      [...trial, '--set', 'config.redis.url=redis://elsewhere:6379'],
    ],
    [
      'an admin listener for everybody, without a password',
      "at '/config/admin'",
      [...trial, '--set', 'config.admin.listen=0.0.0.0:9090'],
    ],
    [
      'an admin listener of everybody, with a user only',
      "at '/config/admin'",
      [...trial, '--set', 'config.admin.username=ops'],
    ],
    [
      'to be asked for numbers that are on loopback',
      "at '/admin/passwordSecret/name'",
      [...trial, '--set', 'metrics.serviceMonitor.enabled=true'],
    ],
    [
      'another port than its own',
      "at '/config/listen'",
      [...trial, '--set', 'config.listen=0.0.0.0:80'],
    ],
    [
      'a route to nowhere',
      "at '/gatewayRoute/parentRefs'",
      [...trial, '--set', 'gatewayRoute.enabled=true'],
    ],
    [
      'a spool of which it cannot tell the size',
      "at '/worker/spool/size'",
      [...trial, '--set', 'worker.spool.size=plenty'],
    ],
    ['no worker', "at '/worker/replicas'", [...trial, '--set', 'worker.replicas=0']],
    ['a key that it does not know', "'replica' not allowed", [...trial, '--set', 'replica=2']],
    ['one further down', "'replica' not allowed", [...trial, '--set', 'worker.replica=2']],
  ])('refuses %s', async (_, place, settings) => {
    await expect(render(...settings)).rejects.toThrow(place)
  })
})
