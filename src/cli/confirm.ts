import { createInterface } from 'node:readline'
import type { ReadStream, WriteStream } from 'node:tty'
import { BulkheadError } from '../base/errors.ts'

type Ends = {
  input: Pick<ReadStream, 'isTTY'> & NodeJS.ReadableStream
  output: Pick<WriteStream, 'isTTY'> & NodeJS.WritableStream
}

/** On a terminal, a typed `yes` is waited for; a script, which has none, goes on. Throws REFUSED for any other answer, or none. */
export async function confirm(
  question: string,
  { input, output }: Ends = { input: process.stdin, output: process.stderr },
): Promise<void> {
  if (!input.isTTY || !output.isTTY) return
  const asked = createInterface({ input, output })
  const answer = await new Promise<string>(resolve => {
    asked.once('close', () => resolve(''))
    asked.question(question, resolve)
  })
  asked.close()
  if (answer.trim() === 'yes') return
  throw new BulkheadError('REFUSED', 'Nothing was signed.', { remedy: 'To approve, type yes.' })
}
