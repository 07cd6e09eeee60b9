import { deadline, endSoon } from '../lifecycle/deadline.ts'
import { type StopSignal, stopSignal } from '../lifecycle/stop-signal.ts'

/** Runs until SIGTERM or SIGINT ask for an end; one that takes too long is forced. */
export async function runUntilStopped(run: (stop: StopSignal) => Promise<void>): Promise<void> {
  using stop = stopSignal()
  // Never called off: it also ends a process that something still keeps alive afterwards.
  void stop.stopped.then(() => deadline())
  await run(stop)
  if (stop.signal.aborted) endSoon()
}
