import type { Job, Queue } from 'bullmq'

/** A request in the queue; its data is parsed by whoever takes it. */
export type ReplicationJob = Job<unknown, unknown>
/** The jobs of one upstream. */
export type ReplicationQueue = Queue<unknown, unknown>
