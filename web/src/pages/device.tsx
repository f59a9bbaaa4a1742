import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { personAlias } from '../../../src/people/alias.ts'
import { faultWords } from '../../../src/wire/apple/faults.ts'
import { titleOf } from '../actions.ts'
import { call, type DevicePage as Device, type Result } from '../api.ts'
import { DeliveryWord, DeviceWord, UnprovenWord, When } from '../parts/badges.tsx'
import { Missing, Notice, Page, Pairs, Part, Waiting } from '../parts/page.tsx'
import { assignmentsOf } from '../people/writing.ts'
import { useInstallation } from '../session.ts'
import { DELIVERY_STATES, DEVICE_STATES, day, readableFacts, TIERS } from '../words.ts'

const route = getRouteApi('/inside/devices/$device')
const REFRESH_MS = 5000
const MONTH_MS = 30 * 86_400_000

export function DevicePage() {
  const { device } = route.useParams()
  const query = useQuery({
    queryKey: ['device', device],
    queryFn: ({ signal }) => call<Device>(`/api/devices/${encodeURIComponent(device)}`, { signal }),
    refetchInterval: REFRESH_MS,
  })
  if (!query.data)
    return query.error ? <Missing what="device" to="/" error={query.error} /> : <Waiting title="Device" />
  return <Known device={query.data} />
}

const Known = ({ device }: { device: Device }) => (
  <Page
    title={device.alias}
    lead={
      <>
        <DeviceWord state={device.state} /> <span>{DEVICE_STATES[device.state].about}</span>
      </>
    }
    actions={
      <Link to="/orders/new" search={{ device: device.device }} className="button main">
        New order for this device
      </Link>
    }
  >
    {!device.proven && device.state !== 'left' && <Unproven />}
    <div className="columns">
      <Part title="Enrolment">
        <Pairs rows={enrolment(device)} />
      </Part>
      <Part title="Orders">
        <Orders device={device} />
      </Part>
    </div>
    <Facts device={device} />
  </Page>
)

const Unproven = () => (
  <Notice tone="warn">
    <p className="strong">No certificate of this device is vouched for by the vault.</p>
    <p>
      It gets no orders. If it finished enrolling, somebody may have changed the database: tell whoever runs this
      installation.
    </p>
  </Notice>
)

type Pair = { key: string; name: string; value: ReactNode }
const pair = (name: string, value: ReactNode): Pair => ({ key: name, name, value })

function enrolment({ tier, lastSeen, enrolledAt, certificateExpires, groups, device }: Device): Pair[] {
  return [
    pair('Last seen', <When time={lastSeen} />),
    pair('Enrolled', <When time={enrolledAt} />),
    pair(
      'Tier',
      <>
        <span className="strong">{TIERS[tier].word}</span>
        <span className="help">{TIERS[tier].about}</span>
      </>,
    ),
    pair('Platform', 'Apple'),
    pair('Certificate ends', certificateExpires ? <Expiry date={certificateExpires} /> : 'None is valid'),
    pair('Person', <Holder device={device} />),
    pair('Groups', groups.length === 0 ? 'None' : <GroupLinks groups={groups} />),
    pair('Id', <span className="mono breaks">{device}</span>),
  ]
}

function Expiry({ date }: { date: string }) {
  const left = Date.parse(date) - Date.now()
  return (
    <>
      {day(date)}
      <span className="help">
        <When time={date} />
      </span>
      {left < MONTH_MS && <span className="help">It is renewed by itself when the device next comes.</span>}
    </>
  )
}

/** The alias of whoever has it, where a member signed that. */
function Holder({ device }: { device: string }) {
  const me = useInstallation()
  const held = useQuery({ queryKey: ['people', 'holder', device], queryFn: () => assignmentsOf(me, { device }) })
  const [newest] = held.data ?? []
  if (!newest?.person) return held.data ? 'Nobody' : null
  return (
    <>
      <Link to="/people/$person" params={{ person: newest.person }}>
        {personAlias(newest.person)}
      </Link>
      {newest.unproven !== undefined && <UnprovenWord why={newest.unproven} />}
    </>
  )
}

const GroupLinks = ({ groups }: { groups: Device['groups'] }) =>
  groups.map(({ group, alias }) => (
    <Link key={group} to="/groups/$group" params={{ group }} className="chip">
      {alias ?? group.slice(0, 8)}
    </Link>
  ))

function Orders({ device: { orders } }: { device: Device }) {
  if (orders.length === 0) return <p>This device has had no order yet.</p>
  return (
    <ul className="deliveries">
      {orders.map(({ order, action, state, result }) => (
        <li key={order}>
          <Link to="/orders/$order" params={{ order }}>
            {titleOf(action)}
          </Link>
          <DeliveryWord state={state} />
          {result && <When time={result.at} />}
          <span className="help">{reasonOf(state, result)}</span>
        </li>
      ))}
    </ul>
  )
}

/** Why it is as it is: the device's own code, or what the state means where that says more than its word. */
export function reasonOf(state: Device['orders'][number]['state'], result: Result | null): string {
  const parts = [result?.reason, result && faultOf(result)].filter(Boolean)
  if (parts.length > 0) return parts.join(' · ')
  return state === 'acknowledged' ? '' : DELIVERY_STATES[state].about
}

function faultOf({ code, domain }: Result): string | undefined {
  if (code == null) return undefined
  const number = `${domain ?? 'Code'} ${code}`
  const words = faultWords(domain, code)
  return words === undefined ? number : `${words} (${number})`
}

function Facts({ device: { facts, factsAt, device } }: { device: Device }) {
  const subjects = readableFacts(facts)
  if (subjects.length === 0)
    return (
      <Part title="What the device says about itself">
        <p>
          Nothing yet.{' '}
          <Link to="/orders/new" search={{ device }}>
            Ask for device facts
          </Link>
          , or approve a standing order that asks every device once a day.
        </p>
      </Part>
    )
  return (
    <Part
      title="What the device says about itself"
      note={
        factsAt && (
          <>
            Told <When time={factsAt} />. Names, numbers and addresses are sealed and not shown here.
          </>
        )
      }
    >
      <div className="subjects">
        {subjects.map(({ subject, rows }) => (
          <section key={subject}>
            <h3>{subject}</h3>
            <Pairs rows={rows} />
          </section>
        ))}
      </div>
    </Part>
  )
}
