/** What was found of one thing that is to be there, and what was done about it. */
export interface Done {
  /** `the project team`, `the robot account robot$pullsync`. */
  readonly what: string
  /** `local`, or an upstream's id. */
  readonly at: string
  /** `left` is what is somebody else's, or was not to be touched. */
  readonly did: 'made' | 'changed' | 'kept' | 'removed' | 'left' | 'failed'
  readonly note?: string
}

/** By this it is known again what was made here; whatever has not got it is never touched. */
export const MARK = 'Made by "pullsync setup harbor".'

export function isOurs({ description }: { readonly description: string }): boolean {
  return description.startsWith(MARK)
}
