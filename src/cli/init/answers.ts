/** What a first configuration is made of. */
export interface Answers {
  /** Where images are pushed to, and where clients find what is there. */
  readonly local: RegistryAnswers
  readonly upstream: RegistryAnswers
  /** The first path component of the images to mirror; `*` for all. */
  readonly project: string
  /** Absent: `pullsync up` starts its own. */
  readonly redis?: string
}

export interface RegistryAnswers {
  readonly url: string
  /** Absent: nobody logs in. */
  readonly account?: Account
}

export interface Account {
  readonly username: string
  /** As typed, or the file that has it already. */
  readonly password: { readonly text: string } | { readonly file: string }
}
