/** Commands to devices: checked against Apple's schema, and built from what a person types. */
export { checkCommand, keysOfCommand, requestTypes } from './check.ts'
export { commandFromSets } from './sets.ts'
