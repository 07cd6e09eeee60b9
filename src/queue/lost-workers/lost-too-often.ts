/** How BullMQ begins the reason of a job that it has failed for the workers that died with it. */
const OF_BULLMQ = 'job stalled more than'

const IN_WORDS =
  "Too many workers died while they ran this job. Look at the worker's log and memory limit, then retry."

/** A job's reason in words for people, where it is one of BullMQ's own. */
export function inOwnWords(reason: string): string {
  return reason.startsWith(OF_BULLMQ) ? IN_WORDS : reason
}
