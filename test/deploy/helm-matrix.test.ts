import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { loadConfig } from '../../src/config/load-config.ts'
import { goProgram, missingProgram } from '../support/process/go-program.ts'
import { run } from '../support/process/run.ts'
import { tempFolder } from '../support/process/temp-folder.ts'

const CHART = 'deploy/helm/pullsync'
const helm = goProgram('helm') ?? ''
const validator = goProgram('kubectl-validate')

/** What comes with every cluster; of the rest the validator has no schemas. */
const KUBERNETES = new Set(['v1', 'apps/v1', 'networking.k8s.io/v1', 'policy/v1'])

type Labels = Readonly<Record<string, string>>

interface Pod {
  readonly metadata: { readonly labels: Labels }
  readonly spec: {
    readonly containers: readonly {
      readonly ports?: readonly { readonly name: string }[]
      readonly volumeMounts?: readonly { readonly name: string }[]
    }[]
    readonly volumes?: readonly { readonly name: string }[]
  }
}

/** What of a Kubernetes object the tests look at. */
interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels: Labels }
  readonly data?: Labels
  readonly spec?: {
    readonly template?: Pod
    readonly selector?: Labels | { readonly matchLabels: Labels }
    readonly podSelector?: { readonly matchLabels: Labels }
    readonly ports?: readonly { readonly targetPort?: string }[]
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[]
  }
}

const set = (...settings: string[]) => settings.flatMap((setting) => ['--set', setting])

const REDIS = {
  url: set('redis.url=redis://redis:6379'),
  'url with a password': set('redis.url=rediss://redis:6379', 'redis.passwordSecret.name=redis'),
  sentinels: set('redis.sentinels={a:26379,b:26379}', 'redis.name=jobs'),
  cluster: set('redis.cluster={a:6379,b:6379}'),
  trial: set('redis.trial.enabled=true'),
}
const ADMIN = { 'no password': [], password: set('admin.passwordSecret.name=admin') }
const REST = {
  'as it comes': [],
  'with all': set(
    'worker.spool.storageClassName=fast',
    'worker.autoscaling.enabled=true',
    'ingress.enabled=true',
    'gatewayRoute.enabled=true',
    'gatewayRoute.parentRefs[0].name=public',
    'gatewayRoute.hostnames={registry.example}',
    'metrics.prometheusRule.enabled=true',
    'metrics.dashboards.enabled=true',
    'networkPolicy.enabled=true',
    'secretNames={registries}',
    'podAnnotations.team=platform',
    'nodeSelector.disk=ssd',
    'tolerations[0].operator=Exists',
    'topologySpreadConstraints[0].maxSkew=1',
    'topologySpreadConstraints[0].topologyKey=zone',
    'topologySpreadConstraints[0].whenUnsatisfiable=ScheduleAnyway',
  ),
  'with little': set(
    'serviceAccount.create=false',
    'worker.spool.size=500Mi',
    'serve.podDisruptionBudget.enabled=false',
    'worker.podDisruptionBudget.enabled=false',
  ),
}

const MATRIX = Object.entries(REDIS).flatMap(([redis, ...one]) =>
  Object.entries(ADMIN).flatMap(([admin, ...two]) =>
    Object.entries(REST).map(
      ([rest, ...three]) =>
        [redis, admin, rest, [...one, ...two, ...three].flat() as readonly string[]] as const,
    ),
  ),
)

describe.skipIf(helm === '')(`the Helm chart, of each kind${missingProgram('helm')}`, () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  beforeAll(async () => {
    folder = await tempFolder('matrix')
    await writeFile(join(folder.path, 'password'), 'a-password-of-the-tests\n')
    await mkdir(join(folder.path, 'manifests'))
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it.each(MATRIX)('with redis: %s; admin: %s; %s', async (redis, admin, rest, settings) => {
    const { stdout, stderr } = await run(helm, ['template', 'edge', CHART, ...settings])
    expect(stderr.toString('utf8')).toBe('')
    const name = `${redis}-${admin}-${rest}`.replaceAll(' ', '-')
    const objects = parseAllDocuments(stdout.toString('utf8')).map(
      (document) => document.toJS() as KubernetesObject,
    )

    const own = objects.filter(({ apiVersion }) => KUBERNETES.has(apiVersion))
    await writeFile(
      join(folder.path, 'manifests', `${name}.yaml`),
      own.map((object) => JSON.stringify(object)).join('\n---\n'),
    )

    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    expect(new Set(names).size).toBe(names.length)
    expect(podsWithoutVolumes(objects)).toEqual([])
    expect(selectorsOfNothing(objects)).toEqual([])
    expect(await redisOf(objects, join(folder.path, `${name}.yaml`))).toBe(true)
    // One Redis: the trial's own, or somebody else's.
    expect(objects.filter(({ kind }) => kind === 'StatefulSet')).toHaveLength(
      redis === 'trial' ? 1 : 0,
    )
  })

  it.skipIf(validator === undefined)(
    `are objects that Kubernetes takes${missingProgram('kubectl-validate')}`,
    async () => {
      const { stdout, stderr, code } = await run(validator ?? '', [join(folder.path, 'manifests')])

      expect(`${stdout.toString('utf8')}${stderr.toString('utf8')}`).not.toMatch(/ERROR/)
      expect(code).toBe(0)
    },
  )

  /** Whether pullsync takes the configuration, with all the secrets that it names. */
  async function redisOf(objects: readonly KubernetesObject[], file: string): Promise<boolean> {
    const text = objects.find(({ data }) => data?.['pullsync.yaml'])?.data?.['pullsync.yaml'] ?? ''
    await writeFile(
      file,
      text.replaceAll(/\/run\/secrets\/[\w/.-]+/g, join(folder.path, 'password')),
    )
    return (await loadConfig(file, {})).redis !== undefined
  }
})

function podsWithoutVolumes(objects: readonly KubernetesObject[]): readonly string[] {
  return objects.flatMap(({ metadata, spec }) => {
    const { containers = [], volumes = [] } = spec?.template?.spec ?? {}
    const claims = spec?.volumeClaimTemplates?.map((claim) => claim.metadata.name) ?? []
    const there = new Set([...volumes.map(({ name }) => name), ...claims])
    const mounts = containers.flatMap(({ volumeMounts = [] }) => volumeMounts)
    return mounts
      .filter(({ name }) => !there.has(name))
      .map(({ name }) => `${metadata.name} ${name}`)
  })
}

/** Services, budgets and policies without a pod, and Services' ports that none of their pods has. */
function selectorsOfNothing(objects: readonly KubernetesObject[]): readonly string[] {
  const pods = objects.flatMap(({ spec }) => spec?.template ?? [])
  return objects.flatMap(({ kind, metadata, spec }) => {
    const of = `${kind} ${metadata.name}`
    const wanted = labelsOf(spec?.podSelector) ?? labelsOf(spec?.selector)
    if (wanted === undefined || kind === 'ServiceMonitor') return []
    const selected = pods.filter(({ metadata: { labels } }) =>
      Object.entries(wanted).every(([key, value]) => labels[key] === value),
    )
    if (selected.length === 0) return [of]
    const open = new Set(
      selected
        .flatMap((pod) => pod.spec.containers.flatMap(({ ports = [] }) => ports))
        .map(({ name }) => name),
    )
    const ports = kind === 'Service' ? (spec?.ports ?? []) : []
    return ports
      .filter(({ targetPort = '' }) => !open.has(targetPort))
      .map(({ targetPort }) => `${of} port ${targetPort}`)
  })
}

function labelsOf(
  selector: Labels | { readonly matchLabels: Labels } | undefined,
): Labels | undefined {
  if (selector === undefined) return undefined
  const { matchLabels } = selector
  return typeof matchLabels === 'object' ? matchLabels : (selector as Labels)
}
