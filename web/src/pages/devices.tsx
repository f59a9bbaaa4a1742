import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useMemo, useState } from 'react'
import { call, type DeviceLine, type DeviceState } from '../api.ts'
import { DeviceWord, When } from '../parts/badges.tsx'
import { Line, Pick } from '../parts/fields.tsx'
import { Empty, Failure, Loading, Page } from '../parts/page.tsx'
import { type Column, Rows } from '../parts/rows.tsx'
import { devices as counted, DEVICE_STATES, TIERS } from '../words.ts'

type Answer = { devices: DeviceLine[]; next: string | null }
const REFRESH_MS = 5000
const FEW_PAGES = 4

/** All devices, page after page: aliases are searched here, since the server has no index of them. */
export function useDevices() {
  const query = useInfiniteQuery({
    queryKey: ['devices'],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => call<Answer>(`/api/devices${pageParam && `?cursor=${pageParam}`}`, { signal }),
    getNextPageParam: ({ next }) => next,
    refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) <= FEW_PAGES ? REFRESH_MS : false),
  })
  const { hasNextPage, isFetching, fetchNextPage } = query
  useEffect(() => {
    if (hasNextPage && !isFetching) fetchNextPage()
  }, [hasNextPage, isFetching, fetchNextPage])
  const devices = useMemo(() => query.data?.pages.flatMap(page => page.devices), [query.data])
  return { devices, error: query.error, more: hasNextPage }
}

const COLUMNS: Column<DeviceLine>[] = [
  {
    title: 'Device',
    name: 'c-name',
    cell: ({ device, alias }) => (
      <Link to="/devices/$device" params={{ device }} className="row-link">
        {alias}
      </Link>
    ),
  },
  { title: 'State', name: 'c-state', cell: ({ state }) => <DeviceWord state={state} /> },
  { title: 'Last seen', name: 'c-when', cell: ({ lastSeen }) => <When time={lastSeen} /> },
  { title: 'Tier', name: 'c-tier', cell: ({ tier }) => <span title={TIERS[tier].about}>{TIERS[tier].word}</span> },
  { title: 'Platform', name: 'c-platform', cell: () => 'Apple' },
]

export function DevicesPage() {
  const { devices, error, more } = useDevices()
  return (
    <Page
      title="Devices"
      actions={
        <Link to="/invitations" className="button quiet">
          Invite a device
        </Link>
      }
    >
      <Failure error={error} />
      {!devices && !error && <Loading />}
      {devices?.length === 0 && <NoDevices />}
      {devices && devices.length > 0 && <DeviceList devices={devices} more={more} />}
    </Page>
  )
}

const STATES = Object.keys(DEVICE_STATES) as DeviceState[]

function DeviceList({ devices, more }: { devices: DeviceLine[]; more: boolean }) {
  const [words, setWords] = useState('')
  const [state, setState] = useState('')
  const wanted = words.trim().toLowerCase()
  const shown = devices.filter(one => (state === '' || one.state === state) && one.alias.includes(wanted))
  const options = STATES.map((one): [string, string] => [
    one,
    `${DEVICE_STATES[one].word} (${devices.filter(device => device.state === one).length})`,
  ])
  const narrowed = shown.length !== devices.length
  return (
    <>
      <search className="filters">
        <Line
          label="Search by alias"
          type="search"
          value={words}
          onChange={setWords}
          placeholder="For example lobu-kate-rimo"
        />
        <Pick label="State" value={state} onChange={setState} options={[['', `All (${devices.length})`], ...options]} />
      </search>
      <p className="note" role="status">
        {narrowed ? `${shown.length} of ${counted(devices.length)}` : counted(devices.length)}
        {more && ', and more to come …'}
      </p>
      {shown.length === 0 ? (
        <Empty title="No device fits">
          <p>Search for another alias, or choose all states.</p>
        </Empty>
      ) : (
        <Rows label="Devices" kind="devices" items={shown} columns={COLUMNS} keyOf={({ device }) => device} />
      )}
    </>
  )
}

const NoDevices = () => (
  <Empty title="No device has enrolled yet">
    <ol>
      <li>
        <Link to="/invitations">Make an invitation</Link>: you choose what the device can ever be told, and approve it
        with your passkey.
      </li>
      <li>Open its link on the phone, tablet or Mac, or scan its QR code.</li>
      <li>Install the profile in Settings. The device then appears here by itself, under an alias.</li>
    </ol>
    <p className="note">
      To watch a simulated phone do it: <code>npm run device -- iphone --url LINK</code>
    </p>
  </Empty>
)
