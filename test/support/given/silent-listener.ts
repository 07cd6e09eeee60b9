import type { JobListener } from '../../../src/queue/work/job.ts'

const nothing = () => undefined

/** Hears of everything and says nothing. */
export const SILENT: JobListener = {
  started: nothing,
  ended: nothing,
  failed: nothing,
  handedBack: nothing,
  lost: nothing,
  held: nothing,
  answersAgain: nothing,
  connectionError: nothing,
}
