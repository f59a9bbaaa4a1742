import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { recall, remember } from './remember.ts'

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-remember-'))
after(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'seen.json')

test('what was remembered is recalled, readable by its owner alone, and replaced as a whole', () => {
  for (const size of [1, 2]) {
    remember(file, { size })
    assert.deepEqual(recall(file), { size })
  }
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(folder), ['seen.json'])
})

test('what is lost or cut off is as if it had never been', () => {
  assert.equal(recall(join(folder, 'none')), undefined)
  writeFileSync(file, '{"size":')
  assert.equal(recall(file), undefined)
})
