/** What may happen next in some state, and the state after it. */
export interface Step<State> {
  readonly name: string
  readonly state: State
  /** It may happen or not; nothing may depend on it for going on. */
  readonly isFault?: boolean
}

export interface Model<State> {
  readonly initial: State
  readonly steps: (state: State) => readonly Step<State>[]
  /** What must never be, in words; undefined in a good state. */
  readonly wrong: (state: State) => string | undefined
  /** From every state one of these must be within reach, with no further fault. */
  readonly isEnd: (state: State) => boolean
}

export interface Explored {
  readonly states: number
  /** With the shortest way to it; undefined where every order of steps is good. */
  readonly violation?: string
}

interface Seen<State> {
  readonly state: State
  readonly from: string | undefined
  readonly by: string
  /** Keys of the states that lead here without a fault. */
  readonly before: string[]
}

/** More than any of the models has; a state that grows without a bound is to be noticed. */
const MAX_STATES = 400_000

/** Every order of steps, breadth first, so that what it finds is the shortest way there. */
export function explore<State>(model: Model<State>): Explored {
  const seen = new Map<string, Seen<State>>()
  visit(seen, { state: model.initial, from: undefined, by: 'begins' })
  // What is added while it is walked comes at its end.
  for (const [key, { state }] of seen) {
    const wrong = model.wrong(state)
    if (wrong !== undefined)
      return { states: seen.size, violation: `${wrong}: ${wayTo(key, seen)}` }
    for (const step of model.steps(state)) {
      const next = visit(seen, { state: step.state, from: key, by: step.name })
      if (step.isFault !== true) seen.get(next)?.before.push(key)
    }
    if (seen.size > MAX_STATES) throw new Error('the model has no end')
  }
  const stuck = neverEnds(model, seen)
  if (stuck === undefined) return { states: seen.size }
  return {
    states: seen.size,
    violation: `nothing gets to its end any more: ${wayTo(stuck, seen)}`,
  }
}

type Arrival<State> = Omit<Seen<State>, 'before'>

function visit<State>(seen: Map<string, Seen<State>>, arrival: Arrival<State>): string {
  const key = JSON.stringify(arrival.state)
  if (!seen.has(key)) seen.set(key, { ...arrival, before: [] })
  return key
}

/** The first state from which no end can be reached. */
function neverEnds<State>(
  { isEnd }: Model<State>,
  seen: ReadonlyMap<string, Seen<State>>,
): string | undefined {
  const ends = [...seen].flatMap(([key, { state }]) => (isEnd(state) ? [key] : []))
  const good = new Set(ends)
  for (const key of good) for (const before of seen.get(key)?.before ?? []) good.add(before)
  for (const key of seen.keys()) if (!good.has(key)) return key
  return undefined
}

function wayTo<State>(key: string, seen: ReadonlyMap<string, Seen<State>>): string {
  const names: string[] = []
  for (let at = seen.get(key); at?.from !== undefined; at = seen.get(at.from)) names.unshift(at.by)
  return names.join(', ')
}
