import type { Digest } from '../../oci/digest.ts'
import type { Repository } from '../../oci/reference.ts'

/** Remembers uploads under way beyond the life of this process, so that somebody can cancel what it leaves. */
export interface UploadRecords {
  begin(repository: Repository, digest: Digest): UploadRecord
}

/** One upload. Disposed when nothing is left of it, unless somebody is to continue or cancel it. */
export interface UploadRecord extends Disposable {
  /** Where the registry has it. */
  at(location: URL): void
  /** It is for whoever continues or cancels it. */
  keep(): void
}

/** Of what mostly ends sooner, only what has lasted so many milliseconds is remembered. */
export function recordedLate(record: UploadRecord, afterMs: number): UploadRecord {
  let timer: NodeJS.Timeout | undefined
  let untold: URL | undefined
  const tell = () => {
    clearTimeout(timer)
    if (untold !== undefined) record.at(untold)
    untold = undefined
  }
  return {
    at: (location) => {
      clearTimeout(timer)
      untold = location
      timer = setTimeout(tell, afterMs).unref()
    },
    keep: () => {
      tell()
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
