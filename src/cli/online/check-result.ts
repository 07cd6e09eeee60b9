import { messageOf } from '../../thrown.ts'

/** What was found at one place that the configuration names. */
export interface CheckResult {
  /** `redis`, `local`, an upstream's id, or `project team`. */
  readonly name: string
  readonly at: string
  readonly ok: boolean
  readonly message: string
  /** What is worth knowing although nothing is wrong. */
  readonly notes?: readonly string[]
}

/** A check that throws has failed, with the words of the error. */
export async function outcomeOf(
  place: Pick<CheckResult, 'name' | 'at'>,
  check: () => Promise<Pick<CheckResult, 'ok' | 'message' | 'notes'>>,
): Promise<CheckResult> {
  try {
    return { ...place, ...(await check()) }
  } catch (error) {
    return { ...place, ok: false, message: messageOf(error) }
  }
}
