import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { titleOf } from '../actions.ts'
import { call, type OrderLine } from '../api.ts'
import { ClassBadge, OrderWord, When } from '../parts/badges.tsx'
import { Act, Pick } from '../parts/fields.tsx'
import { Empty, Failure, Loading, Page } from '../parts/page.tsx'
import { type Column, Rows } from '../parts/rows.tsx'
import { devices, ORDER_STATES } from '../words.ts'

type Answer = { orders: OrderLine[]; next: string | null }

const COLUMNS: Column<OrderLine>[] = [
  {
    title: 'Order',
    name: 'c-name',
    cell: ({ order, action }) => (
      <Link to="/orders/$order" params={{ order }} className="row-link">
        {titleOf(action)}
      </Link>
    ),
  },
  {
    title: 'State',
    name: 'c-state',
    cell: ({ state, kind }) => <OrderWord state={state} standing={kind === 'standing'} />,
  },
  { title: 'Drafted', name: 'c-when', cell: ({ createdAt }) => <When time={createdAt} /> },
  { title: 'For', name: 'c-tier', cell: line => (line.kind === 'standing' ? 'Every device' : devices(line.devices)) },
  { title: 'Class', name: 'c-platform', cell: line => <ClassBadge of={line.class} /> },
  {
    title: 'Approved',
    name: 'c-more',
    cell: ({ approvals, quorum }) =>
      approvals.length === 0 ? `Not yet (needs ${quorum})` : `by ${approvals.join(', ')}`,
  },
]

const STANDING = 'standing'
const options = Object.entries(ORDER_STATES).map(([state, { word }]): [string, string] => [state, word])
options.splice(1, 0, [STANDING, 'Standing'])

/** As the list words it: a standing order in force is Standing, and neither under way nor done. */
const stateOf = ({ kind, state }: OrderLine) =>
  kind === 'standing' && (state === 'approved' || state === 'done') ? STANDING : state

export function OrdersPage() {
  const [state, setState] = useState<string>('')
  const query = useInfiniteQuery({
    queryKey: ['orders'],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      call<Answer>(`/api/orders${pageParam && `?before=${encodeURIComponent(pageParam)}`}`, { signal }),
    getNextPageParam: ({ next }) => next,
    refetchInterval: 10_000,
  })
  const orders = useMemo(() => query.data?.pages.flatMap(page => page.orders), [query.data])
  const shown = orders?.filter(order => state === '' || stateOf(order) === state)
  return (
    <Page
      title="Orders"
      lead="What devices are told. An order does nothing until members approve it with their passkeys."
      actions={
        <Link to="/orders/new" className="button main">
          Draft an order
        </Link>
      }
    >
      <Failure error={query.error} />
      {!orders && !query.error && <Loading />}
      {orders?.length === 0 && (
        <Empty title="No order has been drafted yet">
          <p>
            Start with one that changes nothing: <Link to="/orders/new">ask all devices for their facts</Link>. You will
            see exactly what is sent, and to which devices, before you approve it.
          </p>
        </Empty>
      )}
      {shown && orders && orders.length > 0 && (
        <>
          <div className="filters">
            <Pick label="State" value={state} onChange={setState} options={[['', 'All'], ...options]} />
          </div>
          {shown.length === 0 ? (
            <Empty title="No order is in this state">
              <p>Choose another state, or all.</p>
            </Empty>
          ) : (
            <Rows label="Orders" kind="orders" items={shown} columns={COLUMNS} keyOf={({ order }) => order} />
          )}
          {query.hasNextPage && (
            <Act look="quiet" isPending={query.isFetchingNextPage} onPress={() => query.fetchNextPage()}>
              Show older orders
            </Act>
          )}
        </>
      )}
    </Page>
  )
}
