import { ReplicationError } from '../../replication/errors.ts'
import type { LogLevel } from '../log-level.ts'
import type { Facts, Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'

export interface Happening {
  readonly level: LogLevel
  readonly message: string
  readonly facts: Facts
  readonly count: (metrics: Metrics) => void
}

export type Report = (happening: Happening) => void

/** Told of what happens, to make a story of it where that is about one image and there is room. */
export type Tell = (message: string, facts: Facts) => void

/** Writes the log line, counts and tells; a failure of any is logged if that is still possible. */
export function reporting(logger: Logger, metrics: Metrics, tell: Tell = () => undefined): Report {
  return ({ level, message, facts, count }) => {
    attempt(() => {
      logger.log(level, message, facts)
    })
    attempt(() => {
      count(metrics)
    })
    attempt(() => {
      tell(message, facts)
    })
  }

  function attempt(write: () => void): void {
    try {
      write()
    } catch (error) {
      complain(logger, error)
    }
  }
}

/** For happenings that have no number of their own. */
export function uncounted(): void {
  // Nothing to count.
}

// A classified failure says everything in its message; where in the code it arose helps nobody.
export function errorFacts(error: unknown): Facts {
  return error instanceof ReplicationError ? { reason: error.message } : { error }
}

function complain(logger: Logger, error: unknown): void {
  try {
    logger.log('error', 'report failed', { error })
  } catch {
    // Neither logs nor metrics can be written: the work itself is worth more than its report.
  }
}
