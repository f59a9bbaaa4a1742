import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { BulkheadError } from '../base/errors.ts'
import { isAttested } from '../trust/attestation.ts'
import { previousOf } from '../trust/control.ts'
import { type Budget, CLASSES, type Rate, ROLES, type Role } from '../trust/policy.ts'
import { checkRoster, type Member, type Passkey, type Roster } from '../trust/roster.ts'
import { type Args, flag, list, text, whole } from './args.ts'
import { freezeCodeHashes, makeFreezeCodes } from './freezecodes.ts'
import { duration, seconds } from './output.ts'

/** The next version of the roster, from what a person typed. `codes`: new paper codes, to be shown once. */
export function nextVersion(args: Args, current: Roster, statement: string): { roster: Roster; codes: string[] } {
  const codes = flag(args, 'new-freeze-codes') ? makeFreezeCodes() : []
  const file = text(args, 'file')
  const edited = file === undefined ? structuredClone(current) : readRoster(file)
  const base = { ...edited, version: current.version + 1, previous: previousOf(statement), createdAt: now() }
  const roster: Roster = { ...base, members: editMembers(args, base), policy: editPolicy(args, base.policy, codes) }
  return { roster: checkRoster(roster, 'roster'), codes }
}

const now = () => Math.floor(Date.now() / 1000)
const usage = (message: string, remedy: string) => new BulkheadError('USAGE', message, { remedy })

function readRoster(file: string): Roster {
  return checkRoster(readJson(file), 'roster')
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new BulkheadError('NOT_FOUND', `${file} cannot be read as JSON.`, { remedy: 'Name a file of yours.', cause })
  }
}

function editMembers(args: Args, { members: before, app, policy }: Roster): Member[] {
  const members = structuredClone(before)
  const find = (alias: string) => {
    const found = members.find(member => member.alias === alias)
    if (found) return found
    throw new BulkheadError('NOT_FOUND', `There is no member ${alias}.`, { remedy: 'See: bulkhead roster show' })
  }
  for (const one of list(args, 'add-member')) {
    const [alias, file] = pair('add-member', one, 'calm-otter=calm-otter.public.json')
    const passkey = readPublicPart(file, app.origin)
    requireAccepted(alias, passkey, policy)
    const known = members.find(member => member.alias === alias)
    if (known) known.passkeys.push(passkey)
    else
      members.push({
        id: randomUUID(),
        alias,
        roles: rolesOf(text(args, 'roles') ?? 'operator,approver'),
        passkeys: [passkey],
      })
  }
  for (const alias of list(args, 'remove-member')) members.splice(members.indexOf(find(alias)), 1)
  for (const one of list(args, 'set-roles')) {
    const [alias, roles] = pair('set-roles', one, 'calm-otter=operator,approver')
    find(alias).roles = rolesOf(roles)
  }
  return members
}

/** What `passkey create`, or the app, wrote for somebody who wants to become a member. */
function readPublicPart(file: string, origin: string): Passkey {
  const { id, publicKey, algorithm, software, aaguid, attestation } = readJson(file) as Partial<Passkey>
  if (!id || !publicKey || !algorithm || typeof software !== 'boolean')
    throw new BulkheadError('MALFORMED', `${file} is no public part of a passkey.`, {
      remedy: 'Let the person make one: bulkhead passkey create FILE --alias ALIAS, or the page /join of the app.',
    })
  return {
    id,
    publicKey,
    algorithm,
    software,
    origins: [origin],
    ...(aaguid !== undefined && { aaguid }),
    ...(attestation !== undefined && { attestation }),
  }
}

/** A passkey whose approvals would never count is not proposed. */
function requireAccepted(alias: string, passkey: Passkey, { authenticators }: Roster['policy']) {
  if (!authenticators || isAttested(passkey, authenticators)) return
  throw new BulkheadError('REFUSED', `The passkey of ${alias} is by no authenticator that the roster accepts.`, {
    remedy: 'Let the person use one that is listed in policy.authenticators, at the page /join of the app.',
  })
}

function rolesOf(words: string): Role[] {
  return words
    .split(',')
    .filter(word => word !== '')
    .map(word => {
      const role = ROLES.find(one => one === word)
      if (role) return role
      throw usage(`There is no role ${word}.`, `Write some of: ${ROLES.join(', ')}.`)
    })
}

function pair(option: string, one: string, example: string): [string, string] {
  const at = one.indexOf('=')
  if (at < 1) throw usage(`--${option} ${one} has no =.`, `Write for example --${option} ${example}`)
  return [one.slice(0, at), one.slice(at + 1)]
}

function editPolicy(args: Args, before: Roster['policy'], codes: string[]): Roster['policy'] {
  const policy = structuredClone(before)
  for (const one of list(args, 'quorum')) {
    const [name, count] = pair('quorum', one, 'destroy=3')
    if (!/^\d{1,2}$/.test(count))
      throw usage(`--quorum ${one} names no number.`, 'Write for example --quorum destroy=3')
    policy.quorum[name === 'roster' ? 'roster' : classOf('quorum', name)] = Number(count)
  }
  for (const one of list(args, 'budget')) {
    const [name, words] = pair('budget', one, 'destroy=10/24h')
    policy.budgets =
      name === 'enrol'
        ? { ...policy.budgets, enrol: rateOf(words) }
        : { ...policy.budgets, [classOf('budget', name)]: budgetOf(words) }
  }
  const coolingOff = duration(args, 'cooling-off', 'h')
  if (coolingOff !== undefined) policy.coolingOff = coolingOff
  const witnesses = list(args, 'witness')
  if (witnesses.length > 0) policy.witnesses = [...new Set([...(policy.witnesses ?? []), ...witnesses])]
  const cosignatures = whole(args, 'cosignatures', 0, 20)
  if (cosignatures !== undefined) policy.cosignatures = cosignatures
  if (codes.length > 0) policy.freezeCodes = freezeCodeHashes(codes)
  return policy
}

function classOf(option: string, name: string) {
  const found = CLASSES.find(one => one === name)
  if (found) return found
  throw usage(`--${option}: there is no class ${name}.`, `Write one of: ${CLASSES.join(', ')}.`)
}

/** `500/1h`. */
function rateOf(words: string): Rate {
  const { devices, percent, seconds, after } = budgetOf(words)
  if (percent === 0 && after === 'wait') return { devices, seconds }
  throw usage(`${words} is no rate of enrolments.`, 'Write for example --budget enrol=500/1h.')
}

/** `10/24h`, or `10,10%/1h,then all`. */
function budgetOf(words: string): Budget {
  const [, devices, percent = '0', window = '', all] =
    /^(\d{1,6})(?:,(\d{1,3})%)?\/(\w+)(,\s*then all)?$/.exec(words) ?? []
  const lasts = seconds(window, 'h')
  if (devices === undefined || lasts === undefined)
    throw usage(
      `${words} is no budget.`,
      'Write for example --budget destroy=10/24h or --budget "trust=10,10%/1h,then all".',
    )
  return { devices: Number(devices), percent: Number(percent), seconds: lasts, after: all ? 'all' : 'wait' }
}
