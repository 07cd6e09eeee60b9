import type { Digest } from '../../oci/digest.ts'
import type { Repository } from '../../oci/reference.ts'

/** Remembers uploads under way beyond the life of this process, so that somebody can cancel what it leaves. */
export interface UploadRecords {
  begin(repository: Repository, digest: Digest): UploadRecord
}

/** One upload. Disposed when nothing is left of it, unless somebody is to continue it. */
export interface UploadRecord extends Disposable {
  /** Where the registry has it. */
  at(location: URL): void
  /** It is for whoever continues it. */
  keep(): void
}

/** Of what mostly ends sooner, only what has lasted so many milliseconds is remembered. */
export function recordedLate(record: UploadRecord, afterMs: number): UploadRecord {
  let timer: NodeJS.Timeout | undefined
  return {
    at: (location) => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        record.at(location)
      }, afterMs).unref()
    },
    keep: () => {
      record.keep()
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      record[Symbol.dispose]()
    },
  }
}

/** Where nobody remembers them. */
export const UNRECORDED: UploadRecord = {
  at: () => undefined,
  keep: () => undefined,
  [Symbol.dispose]: () => undefined,
}
