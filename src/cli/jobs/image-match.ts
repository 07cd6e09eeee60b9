import picomatch from 'picomatch'
import type { JobRecord } from '../../queue/records/job-records.ts'
import { imageOf } from './job-text.ts'

/** True for jobs whose image (`team/app:1.0`) or repository (`team/app`) the glob matches; all without one. */
export function imageMatcher(glob: string | undefined): (record: JobRecord) => boolean {
  if (glob === undefined) return () => true
  const matches = picomatch(glob)
  return (record) =>
    matches(imageOf(record)) || (record.request !== undefined && matches(record.request.repository))
}
