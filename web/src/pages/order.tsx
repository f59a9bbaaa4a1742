import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { actionOf, CLASS_WORDS, titleOf, UNKNOWN_CLASS, undoOf } from '../actions.ts'
import { call, type Order, type OrderDevice } from '../api.ts'
import { isKnown } from '../class.ts'
import { type CheckedOrder, checkOrder, unchanged } from '../order.ts'
import { ClassBadge, DeliveryWord, OrderWord, When } from '../parts/badges.tsx'
import { CommandBody } from '../parts/body.tsx'
import { Act, Tick } from '../parts/fields.tsx'
import { Failure, Missing, Notice, Page, Pairs, Part, Waiting } from '../parts/page.tsx'
import { Rows } from '../parts/rows.tsx'
import { sign } from '../passkey.ts'
import { useInstallation } from '../session.ts'
import { approveStatement, cancelStatement, useStanding } from '../standing.ts'
import { at, DELIVERY_STATES, devices, ORDER_STATES } from '../words.ts'
import { reasonOf } from './device.tsx'

const route = getRouteApi('/inside/orders/$order')
const REFRESH_MS = 2000
const LARGE = 2000

export function OrderPage() {
  const { order } = route.useParams()
  const { genesisDigest } = useInstallation()
  const query = useQuery({
    queryKey: ['order', order, genesisDigest],
    queryFn: async ({ signal }) =>
      unchanged(
        await checkOrder(await call<Order>(`/api/orders/${encodeURIComponent(order)}`, { signal }), genesisDigest),
      ),
    refetchInterval: ({ state: { data } }) =>
      data && isOpen(data.order) ? REFRESH_MS * (data.order.devices.length > LARGE ? 15 : 1) : false,
  })
  if (!query.data || query.error)
    return query.error ? <Missing what="order" to="/orders" error={query.error} /> : <Waiting title="Order" />
  return <Checked checked={query.data} />
}

const refusals = ({ devices: all }: Order) => all.filter(({ state }) => state === 'error').length

function aboutOf(order: Order): string {
  const refused = refusals(order)
  if (order.state !== 'done' || refused === 0) return ORDER_STATES[order.state].about
  if (refused === order.devices.length) return refused === 1 ? 'The device refused it.' : 'Every device refused it.'
  return `${refused.toLocaleString('en-GB')} of ${devices(order.devices.length)} refused it.`
}

const isOpen = ({ state }: Order) => state === 'draft' || state === 'approved'

function Checked({ checked }: { checked: CheckedOrder }) {
  const { order } = checked
  return (
    <Page
      title={titleOf(order.action)}
      lead={
        <>
          <OrderWord state={order.state} standing={order.kind === 'standing'} refused={refusals(order)} />{' '}
          <ClassBadge of={checked.class} /> <span>{aboutOf(order)}</span>
        </>
      }
      actions={isOpen(order) && <Cancel order={order} />}
    >
      {!isKnown(order.action) && <NotKnown order={order} />}
      <div className={order.state === 'draft' ? 'columns approve' : 'columns'}>
        <Part title={order.state === 'draft' ? 'What you would approve' : 'What was ordered'}>
          <Pairs rows={summary(checked)} />
          <h3>Exactly what is sent</h3>
          {checked.command ? <CommandBody command={checked.command} /> : <Sealed />}
          {checked.command && !checked.seen && <Unreadable />}
        </Part>
        {order.state === 'draft' ? <Approve key={order.digest} checked={checked} /> : <Approved checked={checked} />}
      </div>
      {order.kind === 'order' && order.state !== 'draft' && <Deliveries order={order} />}
      <details className="part">
        <summary>The statement and its digest</summary>
        <p className="note">
          Worked out in this browser from the text below and the genesis. This is what passkeys sign.
        </p>
        <p className="mono breaks">{order.digest}</p>
        <pre className="mono breaks">{order.statement}</pre>
      </details>
    </Page>
  )
}

const NotKnown = ({ order: { action, state } }: { order: Order }) => (
  <Notice tone="warn">
    <p className="strong">
      No such command is known here: <span className="mono">{action}</span>
    </p>
    {state === 'draft' && (
      <p>
        If it is mistyped, every device will refuse it: discard it. If it is new, read about it before you approve it.
      </p>
    )}
  </Notice>
)

const Sealed = () => (
  <Notice tone="warn">
    <p className="strong">A secret in this order is sealed, so its settings cannot be shown here.</p>
    <p>Approve it only if you drafted it, or trust whoever did: your passkey signs the digest of its bytes, unseen.</p>
  </Notice>
)

const Unreadable = () => (
  <Notice tone="warn">
    <p className="strong">
      The file in this order is in a form that this page cannot read, so what it sets is not shown here.
    </p>
    <p>Approve it only if you know the file by its SHA-256.</p>
  </Notice>
)

function summary({ order, class: orderClass, first, trigger, channel, expiresAt }: CheckedOrder) {
  const rest = order.devices.length - first.length
  const pair = (name: string, value: ReactNode) => ({ key: name, name, value })
  const targets =
    order.kind === 'standing' ? (
      <span className="strong">{trigger === 'daily' ? 'Every device, every day' : 'Every device, once'}</span>
    ) : (
      <>
        <span className="strong">{devices(order.devices.length)}</span>
        <span className="help">
          {first.map((alias, place) => (
            <span key={alias}>
              {place > 0 && ', '}
              <span className="alias">{alias}</span>
            </span>
          ))}
          {rest > 0 && `, and ${rest.toLocaleString('en-GB')} more`}
        </span>
      </>
    )
  return [
    pair(
      'Action',
      <>
        <span className="strong">{titleOf(order.action)}</span>
        <span className="help mono">{order.action}</span>
      </>,
    ),
    pair('Devices', targets),
    pair(
      'Class',
      <>
        <ClassBadge of={orderClass} />
        <span className="help">{orderClass === 'unknown' ? UNKNOWN_CLASS : CLASS_WORDS[orderClass]}</span>
      </>,
    ),
    ...(channel === 'user' ? [pair('Channel', 'The user who is signed in on the device')] : []),
    pair('Ends', at(expiresAt)),
  ]
}

/** The one place where something is approved. What is signed is `checked.digest`, worked out from what stands on this page. */
function Approve({ checked }: { checked: CheckedOrder }) {
  const { order } = checked
  const installation = useInstallation()
  const queries = useQueryClient()
  const [understood, setUnderstood] = useState<string[]>([])
  const approve = useMutation({
    mutationFn: async () => {
      const approval = await sign(checked.digest, installation, installation.me)
      return call(`/api/orders/${order.order}/approvals`, { body: { approval } })
    },
    onSettled: () => queries.invalidateQueries(),
  })
  const mine = order.approvals.includes(installation.me)
  const destroys = checked.class === 'destroy' || checked.class === 'unknown'
  const warnings = warningsOf(checked)
  return (
    <section className={`part gate ${destroys ? 'destroy' : checked.class}`} aria-labelledby="approve">
      <h2 id="approve">Approve</h2>
      <p>
        {titleOf(order.action)}:{' '}
        <span className="strong">{order.kind === 'standing' ? 'every device' : devices(order.devices.length)}</span>
      </p>
      <p>
        <span className="strong">What cannot be undone: </span>
        {undoOf(order.action, checked.class)}
      </p>
      <p className="note">
        {order.approvals.length} of {order.quorum} approvals
        {order.approvals.length > 0 && `: ${order.approvals.join(', ')}`}. <Lacking order={order} />
      </p>
      {mine ? (
        <Notice tone="good">You approved it. It waits for another member.</Notice>
      ) : (
        <>
          {warnings.map(warning => (
            <Tick
              key={warning}
              isSelected={understood.includes(warning)}
              onChange={ticked =>
                setUnderstood(ticked ? [...understood, warning] : understood.filter(one => one !== warning))
              }
            >
              {warning}
            </Tick>
          ))}
          <Failure error={approve.error} />
          <Act
            icon="key"
            look={destroys ? 'danger' : 'main'}
            isPending={approve.isPending}
            isDisabled={!warnings.every(warning => understood.includes(warning))}
            onPress={() => approve.mutate()}
          >
            Approve with your passkey
          </Act>
          <p className="note">
            {checked.seen
              ? 'Checked here: the digest, the command, its class and the devices are those of the statement.'
              : 'Checked here: the digest and the devices are those of the statement. The settings and the class could not be.'}
          </p>
        </>
      )}
    </section>
  )
}

/** Who could give what is missing. */
function Lacking({ order }: { order: Order }) {
  const { data } = useStanding()
  if (!data || order.approvals.length >= order.quorum) return null
  const able = data.members.filter(
    ({ alias, roles }) =>
      !order.approvals.includes(alias) && roles.some(role => data.rules.roles[order.class].includes(role)),
  )
  return <>Who could: {able.map(({ alias }) => alias).join(', ') || 'nobody'}.</>
}

/** What has to be ticked first, each by itself: for what destroys, and for what this page cannot judge by itself. */
function warningsOf({ order, class: orderClass, seen }: CheckedOrder): string[] {
  const warnings: string[] = []
  if (orderClass === 'destroy' || orderClass === 'unknown') warnings.push('I know that this cannot be undone')
  if (!seen) warnings.push('I know that this page could not see its settings')
  if (!actionOf(order.action)) warnings.push('I know what this command does: this page does not')
  return warnings
}

function Approved({ checked: { order } }: { checked: CheckedOrder }) {
  const counts = new Map<OrderDevice['state'], number>()
  for (const { state } of order.devices) counts.set(state, (counts.get(state) ?? 0) + 1)
  return (
    <Part title={order.kind === 'standing' ? 'Approval' : 'How far it is'}>
      <p>
        {order.approvals.length > 0 ? `Approved by ${order.approvals.join(', ')}, drafted ` : 'Drafted '}
        <When time={order.createdAt} />.
      </p>
      <ul className="counts">
        {[...counts].map(([state, count]) => (
          <li key={state} title={DELIVERY_STATES[state].about}>
            <span className="count">{count.toLocaleString('en-GB')}</span>
            <DeliveryWord state={state} />
          </li>
        ))}
      </ul>
    </Part>
  )
}

const Deliveries = ({ order }: { order: Order }) => (
  <Part title="Devices">
    <Rows
      label="Devices of this order"
      kind="of-order"
      items={order.devices}
      keyOf={({ device }) => device}
      columns={[
        {
          title: 'Device',
          name: 'c-name',
          cell: ({ device, alias }) => (
            <Link to="/devices/$device" params={{ device }} className="row-link">
              {alias}
            </Link>
          ),
        },
        { title: 'State', name: 'c-state', cell: ({ state }) => <DeliveryWord state={state} /> },
        { title: 'Answered', name: 'c-when', cell: ({ result }) => (result ? <When time={result.at} /> : '—') },
        { title: 'Why', name: 'c-more', cell: ({ state, result }) => reasonOf(state, result) },
      ]}
    />
  </Part>
)

/** A draft that nobody approved is thrown away; what members approved ends by a statement in the control log. */
function Cancel({ order }: { order: Order }) {
  const queries = useQueryClient()
  const me = useInstallation()
  const untouched = order.state === 'draft' && order.approvals.length === 0
  const cancel = useMutation({
    mutationFn: (): Promise<unknown> =>
      untouched
        ? call(`/api/orders/${order.order}/discard`, { method: 'POST' })
        : approveStatement('cancel', cancelStatement(order.order), me),
    onSettled: () => queries.invalidateQueries(),
  })
  return (
    <>
      <Act
        look="quiet"
        {...(untouched ? {} : { icon: 'key' as const })}
        isPending={cancel.isPending}
        onPress={() => cancel.mutate()}
      >
        {untouched ? 'Discard it' : 'Cancel it with your passkey'}
      </Act>
      <Failure error={cancel.error} />
    </>
  )
}
