import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { DEFAULT_DEADLINE_MS } from '../../src/lifecycle/deadline.ts'
import { EXIT } from '../../src/lifecycle/exit-codes.ts'

const UNITS = ['pullsync-serve.service', 'pullsync-worker@.service']
const deadline = DEFAULT_DEADLINE_MS / 1_000

interface Compose {
  readonly services: Readonly<Record<string, { readonly stop_grace_period?: string }>>
}

async function graceOf(service: string): Promise<number> {
  const text = await readFile('docker-compose.yml', 'utf8')
  const { services } = parse(text, { merge: true }) as Compose
  // What Compose waits unless told.
  return Number.parseInt(services[service]?.stop_grace_period ?? '10s')
}

/** The number that stands behind this in the file. */
async function numberIn(file: string, before: string): Promise<number> {
  const [, number] = new RegExp(`${before}(\\d+)`).exec(await readFile(file, 'utf8')) ?? []
  return Number(number)
}

describe('what ends pullsync', () => {
  it.each(['serve', 'worker'])('waits in Compose until %s has ended itself', async (service) => {
    expect(await graceOf(service)).toBeGreaterThan(deadline)
  })

  it.each(['registry', 'upstream'])('waits in Compose until %s has drained', async (service) => {
    const drain = await numberIn('deploy/compose/registry.yml', 'draintimeout: ')

    expect(await graceOf(service)).toBeGreaterThan(drain)
  })

  it.each(UNITS)(
    'waits in systemd, and starts nothing again that cannot start: %s',
    async (unit) => {
      const file = `deploy/systemd/${unit}`

      expect(await numberIn(file, 'TimeoutStopSec=')).toBeGreaterThan(deadline)
      expect(await readFile(file, 'utf8')).toContain(
        `\nRestartPreventExitStatus=${EXIT.usage} ${EXIT.config}\n`,
      )
    },
  )

  it('waits in Kubernetes, also for what serve waits for first', async () => {
    const pod = 'deploy/helm/pullsync/templates/_pod.tpl'
    const first = (await numberIn(pod, 'setTimeout\\(\\(\\) => \\{\\}, ')) / 1_000

    expect(await numberIn(pod, 'terminationGracePeriodSeconds: ')).toBeGreaterThan(first + deadline)
  })
})
