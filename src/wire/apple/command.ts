/** Commands to devices: checked against Apple's schema, and built from what a person types. */
export { checkCommand, keysOfCommand, requestTypes } from './check.ts'
export { requireKnown } from './known.ts'
export { commandFromSets } from './sets.ts'
