import assert from 'node:assert/strict'
import { cli, type Installation } from './installation.ts'

export type Refused = { code: string; message: string; remedy?: string }

/** What the command line says when it refuses; its last line on stderr. */
export async function refusal({ home }: Pick<Installation, 'home'>, ...line: string[]): Promise<Refused> {
  const failed = await cli([...line, '--home', home, '--json']).then(
    said => assert.fail(`It was done: ${said}`),
    (error: { stderr?: string }) => error,
  )
  return JSON.parse(failed.stderr!.trim().split('\n').at(-1)!) as Refused
}
