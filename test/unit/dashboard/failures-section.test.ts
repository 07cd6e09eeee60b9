import { describe, expect, it } from 'vitest'
import { failuresSection } from '../../../src/dashboard/overview/sections.ts'
import type { JobRecord } from '../../../src/queue/records/job-records.ts'
import type { Snapshot } from '../../../src/dashboard/overview/snapshot.ts'
import type { UpstreamStatus } from '../../../src/queue/records/upstream-status.ts'

describe('the failed jobs of the overview', () => {
  it('say how many there are beyond those that can be run again from there, and how all of them can', () => {
    expect(textOf({ shown: 2, all: 700 })).toContain(
      'These are 2 of 700 failed jobs. To run all of them again: pullsync jobs retry --all',
    )
  })

  it('say nothing of that where these are all', () => {
    expect(textOf({ shown: 2, all: 2 })).not.toContain('These are')
  })
})

function textOf({ shown, all }: { readonly shown: number; readonly all: number }): string {
  const failed = Array.from({ length: shown }, (_, at) => failedJob(`hq-${at}`))
  return failuresSection(snapshotOf(failed, all)).text
}

function failedJob(id: string): JobRecord {
  return {
    ...{ id, upstream: 'hq', state: 'failed' as const },
    failedReason: 'it is full',
  } as JobRecord
}

function snapshotOf(failed: readonly JobRecord[], all: number): Snapshot {
  const counts = { failed: all, active: 0, waiting: 0, delayed: 0, completed: 0 }
  const upstreams = [{ upstream: 'hq', counts } as UpstreamStatus]
  return { at: 0, upstreams, coming: [], failed, wanting: [], minutes: [] }
}
