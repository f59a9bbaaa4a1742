import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { personAlias } from '../people/alias.ts'
import { fold } from '../people/terms.ts'

/** The demo office's people, in the sealed directory: by the commands that a person would type. */
export type Typist = <T>(...line: string[]) => Promise<T>
/** `person`: whoever uses it, by an alias; `holder`: the made-up name that goes with the device. */
export type OfficeDevice = { device: string; state: string; model: string; person?: string; holder: string }
export const staffFile = (folder: string) => join(folder, 'staff.csv')

const OFFICES = ['Front desk', 'Archive', 'Workshop', 'Library', 'Second floor']
const LANGUAGES = ['nl', 'fr', 'de', 'en']

/** Imports them, and hands over their devices; the devices, each with the alias under which the server knows its person. */
export async function employ(
  type: Typist,
  folder: string,
  passkey: string,
  { people, devices }: { people: number; devices: OfficeDevice[] },
): Promise<OfficeDevice[]> {
  const holders = staffOf(people, devices)
  const file = staffFile(folder)
  writeFileSync(file, tableOf([...holders.values()]), { mode: 0o600 })
  const { people: ids } = await type<{ people: string[] }>('people', 'import', file, '--passkey', passkey)
  const idOf = new Map([...holders.keys()].map((key, at) => [key, ids[at]!]))
  const handed = devices.map(one => ({ ...one, id: idOf.get(keyOf(one)) }))
  const pairs = handed.flatMap(({ device, id }) => (id === undefined ? [] : [`${device}=${id}`]))
  await type('people', 'assign', ...pairs, '--passkey', passkey)
  return handed.map(({ id, person: _, ...device }) => ({ ...device, ...(id && { person: personAlias(id) }) }))
}

const keyOf = ({ person, device }: OfficeDevice) => person ?? device

/** Everybody who has a device of their own, then those who get one that would be shared: names by person. */
function staffOf(count: number, devices: OfficeDevice[]): Map<string, string> {
  const staff = new Map<string, string>()
  const own = devices.filter(({ person }) => person !== undefined)
  for (const device of [...own, ...devices])
    if (staff.size < count && !staff.has(keyOf(device))) staff.set(keyOf(device), device.holder)
  return staff
}

function tableOf(names: string[]): string {
  const row = (name: string, at: number) => {
    const [given = '', ...family] = name.split(' ')
    const address = `${fold(`${given}.${family.join('')}`)}.${at + 1}@example.org`
    const mobile = `+32 470 55 01 ${at + 10}`
    return [given, family.join(' '), address, mobile, OFFICES[at % OFFICES.length], LANGUAGES[at % LANGUAGES.length]]
  }
  return ['givenName,familyName,email,mobile,office,language', ...names.map((name, at) => row(name, at).join())].join(
    '\n',
  )
}
