import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { confirm } from './confirm.ts'
import { json, pairs, table } from './output.ts'

const evil = 'a\u001b[2Jb\nc\u009b31m\u202ed'

test('what the database holds cannot command the terminal, forge a line or turn one around', () => {
  for (const text of [table(['NAME', 'X'], [[evil, 1]]), pairs([['name', evil]])]) {
    assert.doesNotMatch(text, /[\p{Cf}]|(?!\n)\p{Cc}/u)
    assert.equal(text.trimEnd().split('\n').length, text.startsWith('NAME') ? 2 : 1)
    assert.match(text, /a\ufffd\[2Jb\ufffdc/)
  }
})

test('JSON keeps such characters, as escapes', () => {
  const text = json({ evil, tag: '\u{e0041}' })
  assert.match(text, /^[\x20-\x7e]+$/)
  assert.deepEqual(JSON.parse(text), { evil, tag: '\u{e0041}' })
})

const terminal = () => Object.assign(new PassThrough(), { isTTY: true })
async function answered(words: string | undefined) {
  const [input, output] = [terminal(), terminal()]
  if (words === undefined) input.end()
  else input.write(`${words}\n`)
  await confirm('Type yes: ', { input: input as never, output: output as never })
}

test('on a terminal only a typed yes approves; without one nobody is asked', async () => {
  await answered('yes')
  for (const words of ['no', '', 'y', undefined]) await assert.rejects(answered(words), { code: 'REFUSED' })
  const script = Object.assign(new PassThrough(), { isTTY: false })
  await confirm('', { input: script as never, output: terminal() as never })
})
