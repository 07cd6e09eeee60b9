import { describe, expect, it } from 'vitest'
import { jobDisplay } from '../../../../src/cli/jobs/job-display.ts'
import { digestOf } from '../../../../src/oci/digest.ts'
import type { JobRecord } from '../../../../src/queue/records/job-records.ts'
import { Screen } from '../../../support/process/screen.ts'

const ACTIVE: JobRecord = {
  ...{ id: 'hq-1', upstream: 'hq', state: 'active', attemptsMade: 0, attempts: 3, addedAt: 0 },
  progress: {
    ...{ bytes: 1, totalBytes: 4, blobs: 0, totalBlobs: 1 },
    underWay: [{ digest: digestOf(Buffer.from('layer')), bytes: 1, size: 4 }],
  },
}

describe('jobDisplay', () => {
  it('shows blobs of a job that runs, not those that a dead worker left in its record', () => {
    const screen = new Screen({ columns: 80, rows: 24 })
    const display = jobDisplay(screen)

    display.show(ACTIVE)
    expect(screen.lines).toEqual([
      'active: 25%, 1 B of 4 B, 0 of 1 blobs',
      expect.stringMatching(/^ {2}dac1d7cfa950 {2}\[=+> +\] +1 B of 4 B +25%$/),
    ])
    display.show({ ...ACTIVE, state: 'waiting' })

    expect(screen.lines).toEqual(['waiting: waiting'])
  })

  it('says why a job is put off below when it is tried again', () => {
    const screen = new Screen({ columns: 80, rows: 24 })
    const failedReason = 'the local registry does not answer'

    jobDisplay(screen).show({ ...ACTIVE, state: 'delayed', failedReason })

    expect(screen.lines).toEqual(['delayed: later', `  ${failedReason}`])
  })
})
