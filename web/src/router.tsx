import { createRootRoute, createRoute, createRouter, redirect } from '@tanstack/react-router'
import { DevicePage } from './pages/device.tsx'
import { DevicesPage } from './pages/devices.tsx'
import { DraftPage } from './pages/draft.tsx'
import { GroupPage } from './pages/group.tsx'
import { GroupsPage } from './pages/groups.tsx'
import { InvitationsPage } from './pages/invitations.tsx'
import { JoinPage } from './pages/join.tsx'
import { OrderPage } from './pages/order.tsx'
import { OrdersPage } from './pages/orders.tsx'
import { PeoplePage } from './pages/people.tsx'
import { PeopleImportPage } from './pages/peopleimport.tsx'
import { PersonPage } from './pages/person.tsx'
import { RosterPage } from './pages/roster.tsx'
import { SetupPage } from './pages/setup.tsx'
import { SignInPage } from './pages/signin.tsx'
import { NowherePage, StoppedPage, UnlessHalted } from './pages/stopped.tsx'
import { currentSession, resumeSession } from './session.ts'
import { Shell } from './shell.tsx'

const root = createRootRoute({ component: UnlessHalted, notFoundComponent: NowherePage, errorComponent: StoppedPage })
const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)

const setup = createRoute({ getParentRoute: () => root, path: '/setup', component: SetupPage })
const join = createRoute({ getParentRoute: () => root, path: '/join', component: JoinPage })
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: ({ to }: Record<string, unknown>): { to?: string } => {
    const path = text(to)
    return path?.startsWith('/') && !path.startsWith('//') ? { to: path } : {}
  },
  component: SignInPage,
})

/** Everything behind the sign-in. */
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: Shell,
  beforeLoad: async ({ location }) => {
    await resumeSession()
    if (!currentSession())
      throw redirect({ to: '/sign-in', search: location.href === '/' ? {} : { to: location.href } })
  },
})

const devices = createRoute({ getParentRoute: () => inside, path: '/', component: DevicesPage })
const allDevices = createRoute({
  getParentRoute: () => inside,
  path: '/devices',
  beforeLoad: () => {
    throw redirect({ to: '/' })
  },
})
const device = createRoute({ getParentRoute: () => inside, path: '/devices/$device', component: DevicePage })
const orders = createRoute({ getParentRoute: () => inside, path: '/orders', component: OrdersPage })
const draft = createRoute({
  getParentRoute: () => inside,
  path: '/orders/new',
  validateSearch: (search: Record<string, unknown>): { device?: string; group?: string; inventory?: true } => ({
    ...(text(search.device) ? { device: String(search.device) } : {}),
    ...(text(search.group) ? { group: String(search.group) } : {}),
    ...(search.inventory === true ? { inventory: true } : {}),
  }),
  component: DraftPage,
})
const order = createRoute({ getParentRoute: () => inside, path: '/orders/$order', component: OrderPage })
const groups = createRoute({ getParentRoute: () => inside, path: '/groups', component: GroupsPage })
const group = createRoute({ getParentRoute: () => inside, path: '/groups/$group', component: GroupPage })
const invitations = createRoute({ getParentRoute: () => inside, path: '/invitations', component: InvitationsPage })
const people = createRoute({ getParentRoute: () => inside, path: '/people', component: PeoplePage })
const peopleImport = createRoute({ getParentRoute: () => inside, path: '/people/import', component: PeopleImportPage })
const person = createRoute({ getParentRoute: () => inside, path: '/people/$person', component: PersonPage })
const roster = createRoute({ getParentRoute: () => inside, path: '/roster', component: RosterPage })

const tree = root.addChildren([
  setup,
  join,
  signIn,
  inside.addChildren([
    devices,
    allDevices,
    device,
    orders,
    draft,
    order,
    groups,
    group,
    invitations,
    people,
    peopleImport,
    person,
    roster,
  ]),
])

export const router = createRouter({ routeTree: tree, defaultPreload: false, scrollRestoration: false })

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
