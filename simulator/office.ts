import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Apns } from './apns.ts'
import { createFleet, type Device, inParallel } from './fleet.ts'
import { peopleAliases } from './people.ts'
import type { Model } from './person.ts'
import { restoreDevice, type SavedDevice, saveDevice } from './saved.ts'

export type OfficeState = 'in use' | 'just enrolled' | 'silent' | 'not now' | 'lost' | 'certificate about to expire'
export type Tier = 'private' | 'no-wipe' | 'full'
/** One device of the plan. `person` is undefined for a shared device; `invitation` names the one that it uses. */
export type Planned = {
  seed: string
  state: OfficeState
  model: Model
  tier: Tier
  supervised: boolean
  person: string | undefined
  invitation: string
}

export type OfficeOptions = {
  /** Where the edge is: profiles of another origin are refused. */
  edgeUrl: string
  /** Where the profile of a named invitation is. */
  profileUrl: (invitation: string) => string
  /** Where the office is kept between runs: it holds the devices' keys. */
  file?: string
  /** Seconds between two visits of one device. */
  every?: number
  apns?: Apns
  say?: (line: string) => void
}
export type Office = Awaited<ReturnType<typeof startOffice>>

const shares: readonly [OfficeState, number][] = [
  ['just enrolled', 4],
  ['silent', 4],
  ['not now', 3],
  ['lost', 2],
  ['certificate about to expire', 3],
  ['in use', 44],
]

/** Sixty devices of forty people, the same at every start. */
export function planOffice(): { people: string[]; devices: Planned[] } {
  const people = peopleAliases(40)
  const states = shares.flatMap(([state, count]) => Array.from({ length: count }, () => state))
  const devices = states.map((state, index): Planned => {
    const model: Model = state === 'lost' ? 'iphone' : (['iphone', 'iphone', 'mac', 'ipad'] as const)[index % 4]!
    const tier: Tier =
      state === 'lost' ? 'no-wipe' : model === 'iphone' ? 'private' : model === 'mac' ? 'full' : 'no-wipe'
    return {
      seed: `office-${index}`,
      state,
      model,
      tier,
      invitation: state === 'certificate about to expire' ? `${tier} short` : tier,
      supervised: state === 'lost' || model === 'ipad',
      person: model === 'ipad' && state !== 'lost' ? undefined : people[index % people.length],
    }
  })
  return { people, devices }
}

/**
 * Enrols the demo office, or takes it up again from its file, and lets it live. `lost` devices are lost once an approved EnableLostMode
 * reaches them; `silent` ones never connect again; the caller backdates what only time could do.
 */
export async function startOffice(options: OfficeOptions) {
  const plan = planOffice()
  const fleet = await createFleet({
    count: plan.devices.length,
    parallel: 8,
    each: index => {
      const { seed, model, supervised } = plan.devices[index]!
      return { seed, model, supervised }
    },
  })
  const members = plan.devices.map((planned, index) => ({ planned, device: fleet.devices[index]! }))
  takeUp(members, options.file)
  await enrolMissing(members, options)
  keep(members, options.file)
  for (const { planned, device } of members) device.notNow = moodOf(planned.state)
  const stop = live(members, options, () => keep(members, options.file))
  return {
    people: plan.people,
    members,
    inState: (state: OfficeState) => members.filter(({ planned }) => planned.state === state),
    /** Everybody who ever connects does so now. */
    visitAll: () => inParallel(members, 8, visit),
    close: () => {
      stop()
      keep(members, options.file)
      fleet.close()
    },
  }
}

/** A certificate comes close to its end where somebody never lets the device install the new one. */
function moodOf(state: OfficeState): Device['notNow'] {
  if (state === 'certificate about to expire') return requestType => requestType === 'InstallProfile'
  return state === 'not now'
}

type Member = { planned: Planned; device: Device }
type Kept = Record<string, SavedDevice>

async function enrolMissing(members: Member[], { profileUrl, edgeUrl, say = () => {} }: OfficeOptions) {
  const missing = members.filter(({ device }) => !device.state.enrolment)
  if (missing.length > 0) say(`Enrolling ${missing.length} devices of the office …`)
  await inParallel(missing, 8, async ({ planned, device }) => {
    const url = profileUrl(planned.invitation)
    if (new URL(url).origin !== new URL(edgeUrl).origin)
      throw new Error(`The profile of ${planned.seed} is not at ${edgeUrl}.`)
    await device.enrol(url)
    if (planned.state === 'silent') await device.connect() // once: it was in use before
  })
}

/** A device that just enrolled has not yet come for its first command; a silent one never will. */
async function visit({ planned, device }: Member) {
  if (planned.state === 'silent' || planned.state === 'just enrolled' || !device.state.enrolment) return
  try {
    await device.connect()
  } catch {
    // A phone out of reach comes again later.
  }
}

/** Visits are spread over the whole period, as in life. Returns what ends them. */
function live(members: Member[], { every = 30, apns }: OfficeOptions, changed: () => void): () => void {
  const call = async (member: Member) => {
    const { identity } = member.device.state
    await visit(member)
    if (member.device.state.identity !== identity) changed() // a renewed certificate must outlive this process
  }
  let next = 0
  const timer = setInterval(() => void call(members[next++ % members.length]!), (every * 1000) / members.length)
  const byToken = new Map(members.map(member => [member.device.push.token.toString('hex'), member]))
  const deaf = apns?.listen(({ token, magic }) => {
    const member = byToken.get(token)
    if (member && member.device.push.magic === magic) void call(member)
  })
  return () => {
    clearInterval(timer)
    deaf?.()
  }
}

function takeUp(members: Member[], file: string | undefined) {
  if (!file) return
  const kept = readKept(file)
  for (const { planned, device } of members) {
    const saved = kept[planned.seed]
    if (saved) restoreDevice(device, saved)
  }
}

function readKept(file: string): Kept {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Kept
  } catch {
    return {} // none yet: a new office
  }
}

function keep(members: Member[], file: string | undefined) {
  if (!file) return
  const kept: Kept = {}
  for (const { planned, device } of members) {
    const saved = saveDevice(device)
    if (saved) kept[planned.seed] = saved
  }
  writeFileSync(`${file}.new`, JSON.stringify(kept), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
