import { decodePlist, type PlistDict } from '../wire/plist/plist.ts'
import type { OrderClass } from './rules.ts'
import * as rules from './rules.ts'

/** The classes as the server works them out: the rules, with its own reader of property lists. */
export {
  CLASSES,
  DESTROY_COMMANDS,
  DESTROY_PAYLOADS,
  DESTROY_SETTINGS,
  highest,
  type OrderClass,
  RULED_COMMANDS,
  RULED_DECLARATIONS,
  RULED_PAYLOADS,
  RULED_SETTINGS,
} from './rules.ts'
export type ClassOptions = Omit<rules.ClassOptions, 'decode'>

const decode = (bytes: Uint8Array) => decodePlist(bytes)

/** The class of a Command dictionary (the inner one, with RequestType). Never throws: what is not understood is `destroy`. */
export const classOf = (command: PlistDict, options: ClassOptions = {}): OrderClass =>
  rules.classOf(command, { ...options, decode })

/** The class of a configuration profile. */
export const classOfProfile = (profile: Uint8Array, options: ClassOptions = {}): OrderClass =>
  rules.classOfProfile(profile, { ...options, decode })

/** The class of a declaration; a legacy one has that of the profile it links to. */
export const classOfDeclaration = (
  type: string,
  payload?: unknown,
  profile?: Uint8Array,
  options: ClassOptions = {},
): OrderClass => rules.classOfDeclaration(type, payload, profile, { ...options, decode })
