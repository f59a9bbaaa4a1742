import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BulkheadError } from '../../base/errors.ts'
import type { PlistDict, PlistValue } from '../plist/plist.ts'
import { decodeCheckin } from './checkin.ts'
import { checkCommand, commandFromSets, requestTypes } from './command.ts'
import { decodeConnect } from './connect.ts'
import { CHECKINS, COMMANDS } from './facts.generated.ts'
import { rightsNeededBy } from './rights.ts'

const names = [
  ...new Set(
    COMMANDS.flatMap(fact => fact.keys.map(key => key.name)).concat(
      CHECKINS.flatMap(fact => fact.keys.map(key => key.name)),
    ),
  ),
]
names.push(
  'Status',
  'CommandUUID',
  'ErrorChain',
  'QueryResponses',
  'SecurityInfo',
  'RequestType',
  'Item',
  '__proto__',
  'constructor',
)
const words = [
  ...requestTypes(),
  ...CHECKINS.map(fact => fact.messageType),
  'Idle',
  'Acknowledged',
  'Error',
  'Bluetooth',
  'MCMDMErrorDomain',
]

const { value } = fc.letrec<{ value: PlistValue }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.constantFrom(...words),
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.bigInt(),
    fc.boolean(),
    fc.uint8Array({ maxLength: 8 }),
    fc.date(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 6, noNullPrototype: false }),
  ),
}))
const message = fc
  .tuple(
    fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 8 }),
    fc.constantFrom(...words),
    fc.constantFrom(...words),
  )
  .map(
    ([dict, MessageType, Status]): PlistDict => ({ UDID: 'U', ...dict, MessageType, Status, RequestType: MessageType }),
  )

function onlyOurs(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof BulkheadError, String(error))
  }
}

test('whatever a dictionary holds, it is decoded or refused with an error of ours', () => {
  fc.assert(
    fc.property(fc.oneof(message, value), dict => {
      onlyOurs(() => decodeCheckin(dict))
      onlyOurs(() => decodeConnect(dict))
      onlyOurs(() => checkCommand(dict as PlistDict))
      if (typeof dict === 'object') onlyOurs(() => rightsNeededBy(dict as PlistDict))
    }),
    { numRuns: 500 },
  )
})

test('whatever is typed after --set, it is taken or refused with an error of ours', () => {
  const path = fc.array(fc.oneof(fc.constantFrom(...names, '0', '1', ...words), fc.string()), {
    minLength: 1,
    maxLength: 4,
  })
  const set = fc.tuple(path, fc.string()).map(([parts, text]) => `${parts.join('.')}=${text}`)
  fc.assert(
    fc.property(fc.constantFrom(...requestTypes()), fc.array(set, { maxLength: 4 }), (type, sets) =>
      onlyOurs(() => commandFromSets(type, sets)),
    ),
    { numRuns: 500 },
  )
})

test('nothing that a device says about itself is in clear unless it is a short word, a number or a boolean', () => {
  fc.assert(
    fc.property(message, dict => {
      const said: { [key: string]: unknown }[] = []
      onlyOurs(() => said.push(decodeConnect(dict).clear, decodeCheckin(dict).clear))
      for (const clear of said)
        for (const fact of Object.values(clear)) {
          assert.ok(['string', 'number', 'boolean'].includes(typeof fact))
          assert.ok(String(fact).length <= 32)
        }
    }),
    { numRuns: 300 },
  )
})
