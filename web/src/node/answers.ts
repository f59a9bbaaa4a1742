/**
 * The code that judges signatures is the server's, and it waits for nothing; WebCrypto answers with promises. So a judgement is tried: each
 * question that has no answer yet is noted and taken for a yes, all of them are then asked, and the judgement is tried anew with the answers,
 * until one was made without an open question. Only that one counts: of the others nothing is kept but the questions.
 */
export type Question = { id: string; ask: () => Promise<boolean> }

const MOST_ROUNDS = 1000
let known = new Map<string, boolean>()
let used = new Map<string, boolean>()
let open: Question[] = []

/** For node/crypto.ts: the answer, if there is one, else yes for now. */
export function answerTo(question: Question): boolean {
  const answer = known.get(question.id)
  if (answer === undefined) open.push(question)
  else used.set(question.id, answer)
  return answer ?? true
}

let before: Promise<unknown> = Promise.resolve()

/** `judge` is called again and again, so it must begin anew each time and keep nothing outside. One judgement after the other. */
export function settled<T>(judge: () => T): Promise<T> {
  const mine = before.then(() => settle(judge))
  before = mine.catch(() => {})
  return mine
}

async function settle<T>(judge: () => T): Promise<T> {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    ;[open, used] = [[], new Map()]
    const result = tried(judge)
    if (open.length === 0) {
      known = used // what the last judgement did not ask, the next one hardly will
      return result()
    }
    for (const { id, ask } of open) if (!known.has(id)) known.set(id, await ask())
  }
  throw new Error('A judgement that never ends.')
}

/** What it came to, to be believed only if no question is open. */
function tried<T>(judge: () => T): () => T {
  try {
    const value = judge()
    return () => value
  } catch (error) {
    return () => {
      throw error
    }
  }
}
