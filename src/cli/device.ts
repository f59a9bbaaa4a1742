import type { DeviceLine, DevicePage, Group } from '../console/api.ts'
import { type Args, text } from './args.ts'
import { type ConsoleClient, consoleClient } from './client.ts'
import { pairs, show, table, when } from './output.ts'
import { revealDevice } from './people/report.ts'

export async function run(args: Args): Promise<number> {
  if (args.command === 'device reveal') return revealDevice(args)
  return args.command === 'device show' ? showOne(args) : listAll(args)
}

async function listAll(args: Args): Promise<number> {
  const console = consoleClient(args.home)
  const group = text(args, 'group')
  const members = group === undefined ? undefined : new Set((await findGroup(console, group)).members)
  const devices = (await allDevices(console)).filter(({ device }) => members?.has(device) ?? true)
  return show(args, devices, () =>
    table(
      ['DEVICE', 'PLATFORM', 'TIER', 'STATE', 'LAST SEEN', 'ID'],
      devices.map(one => [one.alias, one.platform, one.tier, one.state, when(one.lastSeen), one.device]),
    ),
  )
}

export const findGroup = (console: ConsoleClient, name: string) =>
  console.get<Group>(`/api/groups/${encodeURIComponent(name)}`)

async function allDevices(console: ConsoleClient): Promise<DeviceLine[]> {
  const devices: DeviceLine[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { devices: DeviceLine[]; next: string | null } = await console.get(
      cursor === '' ? '/api/devices' : `/api/devices?cursor=${cursor}`,
    )
    devices.push(...page.devices)
    cursor = page.next
  }
  return devices
}

async function showOne(args: Args): Promise<number> {
  const [name] = args.words
  const page = await consoleClient(args.home).get<DevicePage>(`/api/devices/${encodeURIComponent(name!)}`)
  return show(args, page, () => {
    const head = pairs([
      ['device', page.alias],
      ['id', page.device],
      ['platform', page.platform],
      ['tier', `${page.tier}${page.proven ? '' : ' (unproven)'}`],
      ['state', page.state],
      ['last seen', when(page.lastSeen)],
      ['enrolled', when(page.enrolledAt)],
      ['certificate', page.certificateExpires === null ? 'none' : `until ${when(page.certificateExpires)}`],
      ['groups', page.groups.map(({ alias, group }) => alias ?? group).join(', ') || 'none'],
    ])
    const facts = Object.entries(page.facts).map(([key, value]): [string, string] => [key, String(value)])
    const orders = page.orders.map(({ order, action, state, result }) => [action, state, result?.reason ?? '', order])
    return `${head}\n${facts.length === 0 ? '' : `${pairs(facts)}\n`}${table(['ACTION', 'STATE', 'RESULT', 'ORDER'], orders)}`
  })
}
