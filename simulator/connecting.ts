import { isDict, own, stringAt } from '../src/wire/apple/dict.ts'
import { decodePlist, type PlistDict, type PlistInput } from '../src/wire/plist/plist.ts'
import type { Channel } from './channel.ts'
import { type Checkins, naming } from './checkins.ts'
import { errorChain, executors, type Outcome } from './commands.ts'
import type { Enroller } from './enrolling.ts'
import type { Answer } from './http.ts'
import type { DeviceOptions } from './options.ts'
import { payloadBytes } from './profile.ts'
import { FAULT, refusal } from './rights.ts'
import { current, type DeviceState, forget, refused, type User } from './state.ts'

/** One command as the device met it. `keys` holds its values but RequestType. */
export type Executed = {
  requestType: string
  commandUuid: string
  at: Date
  status: string
  keys: PlistDict
  user: string | undefined
}
/** True: NotNow to all but DeviceLock, EraseDevice and ClearPasscode. A function decides by RequestType. */
export type Mood = { notNow: boolean | ((requestType: string) => boolean) }
export type Parts = { channel: Channel; checkins: Checkins; enroller: Enroller; executed: Executed[]; mood: Mood }

const MOST_ROUNDS = 2000
const MOST_OFFERS = 3
const alwaysNow = new Set(['DeviceLock', 'EraseDevice', 'ClearPasscode'])

/** The connect loop: Idle, then an answer to each command, until there is none. */
export function createConnect(options: DeviceOptions, state: DeviceState, parts: Parts) {
  const { channel, checkins, enroller, executed, mood } = parts
  const say = options.say ?? (() => {})
  const platform = options.model === 'mac' ? 'macOS' : 'iOS'

  /** How many commands were handled, NotNow included. Throws REFUSED for an answer other than 200, or a server that never ends. */
  async function connect({ user }: { user?: User } = {}): Promise<number> {
    const who = user ? naming(user) : {}
    const offered = new Map<string, number>()
    let answer = await report({ Status: 'Idle', ...who })
    for (let handled = 0; ; handled++) {
      if (answer.body.length === 0) return handled
      const command = openCommand(answer.body)
      requireEnd(offered, command?.uuid ?? '', handled)
      const { status, outcome } = command
        ? await obey(command, user?.id)
        : { status: 'CommandFormatError', outcome: {} }
      answer = await report({ Status: status, ...answerTo(command, outcome), ...who })
      if (await afterwards(outcome)) return handled + 1
    }
  }

  async function report(message: Record<string, PlistInput>): Promise<Answer> {
    const answer = await channel.post('connect', message)
    if (answer.status !== 200) throw refused(`${String(message.Status)} was answered with ${answer.status}.`)
    return answer
  }

  async function obey(
    { uuid, type, dict }: Command,
    user: string | undefined,
  ): Promise<{ status: string; outcome: Outcome }> {
    const outcome = await consider(type, dict)
    const status = outcome === 'NotNow' ? 'NotNow' : outcome.fault ? 'Error' : 'Acknowledged'
    const { RequestType, ...keys } = dict
    executed.push({ requestType: type, commandUuid: uuid, at: new Date(), status, keys, user })
    const why = outcome !== 'NotNow' && outcome.fault ? ` (${outcome.fault.code}, ${outcome.fault.text})` : ''
    say(`${type}: ${status}${why}.`)
    return { status, outcome: outcome === 'NotNow' ? {} : outcome }
  }

  async function consider(type: string, dict: PlistDict): Promise<Outcome | 'NotNow'> {
    const { notNow } = mood
    if (typeof notNow === 'function' ? notNow(type) : notNow && !alwaysNow.has(type)) return 'NotNow'
    const fault = refusal(type, { platform, supervised: state.supervised, rights: current(state).rights })
    if (fault) return { fault }
    const execute = executors.get(type)
    if (!execute) return { fault: { code: FAULT.unknownRequest, text: `This device cannot do “${type}”.` } }
    const outcome = execute(state, dict)
    if (outcome.after !== 'renew') return outcome
    const refusedRenewal = await enroller.renew(payloadBytes(dict))
    return refusedRenewal ? { fault: refusedRenewal } : {}
  }

  /** True when the device is gone. */
  async function afterwards({ after }: Outcome): Promise<boolean> {
    if (after === 'synchronise') await checkins.declarative('declaration-items')
    if (after === 'leave') await checkins.checkOut()
    if (after === 'erase') {
      forget(state)
      state.erased = true
      say('The device was erased and is gone.')
    }
    return after === 'leave' || after === 'erase'
  }

  return connect
}

function requireEnd(offered: Map<string, number>, uuid: string, handled: number): void {
  const times = (offered.get(uuid) ?? 0) + 1
  offered.set(uuid, times)
  if (times > MOST_OFFERS || handled >= MOST_ROUNDS)
    throw refused(`The server does not stop offering ${uuid || 'malformed commands'}.`)
}

function answerTo(command: Command | undefined, outcome: Outcome): Record<string, PlistInput> {
  return {
    ...(command ? { CommandUUID: command.uuid } : {}),
    ...outcome.values,
    ...(outcome.fault ? { ErrorChain: errorChain(outcome.fault) } : {}),
  }
}

type Command = { uuid: string; type: string; dict: PlistDict }

/** Undefined where it is no command: the device answers CommandFormatError. */
function openCommand(body: Buffer): Command | undefined {
  try {
    const message = decodePlist(body)
    if (!isDict(message)) return undefined
    const dict = own(message, 'Command')
    const uuid = stringAt(message, 'CommandUUID')
    const type = isDict(dict) ? stringAt(dict, 'RequestType') : undefined
    return isDict(dict) && uuid && type ? { uuid, type, dict } : undefined
  } catch {
    return undefined
  }
}
