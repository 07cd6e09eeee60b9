interface Waiting<Question, Answer> {
  readonly question: Question
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/** More in one command would keep whoever else asks waiting. */
const MOST_AT_ONCE = 200

/** What is asked in the same moment, be it by whomever, goes as one. */
export class Together<Question, Answer> {
  readonly #ask: (questions: readonly Question[]) => Promise<readonly Answer[]>
  #waiting: Waiting<Question, Answer>[] = []

  /** @param ask gives as many answers, in the same order */
  constructor(ask: (questions: readonly Question[]) => Promise<readonly Answer[]>) {
    this.#ask = ask
  }

  /** Rejects when asking failed, for all that went with it. */
  async ask(question: Question): Promise<Answer> {
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject })
      if (this.#waiting.length === 1) setImmediate(() => void this.#go())
    })
  }

  async #go(): Promise<void> {
    const all = this.#waiting
    this.#waiting = []
    for (let at = 0; at < all.length; at += MOST_AT_ONCE) {
      await this.#goWith(all.slice(at, at + MOST_AT_ONCE))
    }
  }

  async #goWith(some: readonly Waiting<Question, Answer>[]): Promise<void> {
    try {
      const answers = await this.#ask(some.map(({ question }) => question))
      for (const [at, { resolve }] of some.entries()) resolve(answers[at] as Answer)
    } catch (error) {
      for (const { reject } of some) reject(error)
    }
  }
}
