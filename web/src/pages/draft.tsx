import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { RadioGroup } from 'react-aria-components'
import { ACTIONS, type Action, actionOf, CLASS_WORDS, CLASSES } from '../actions.ts'
import { call, type Draft, type GroupLine, type OrderDraft, Refusal, type StandingDraft } from '../api.ts'
import { ClassBadge } from '../parts/badges.tsx'
import { DevicePicker } from '../parts/devicepicker.tsx'
import { Act, Choice, Line, Pick } from '../parts/fields.tsx'
import { Failure, Page, Part } from '../parts/page.tsx'
import { devices as counted } from '../words.ts'
import { useDevices } from './devices.tsx'
import { OTHER, type Settings, SettingsFields, setsOf } from './settings.tsx'
import { inventoryIsDrafted, isInventoryWanted } from './setup.tsx'

const route = getRouteApi('/inside/orders/new')

type Aim = 'devices' | 'group' | 'all' | 'daily' | 'enrolment'
type Form = Settings & { action: string; aim: Aim; devices: string[]; group: string; reason: string }
export function DraftPage() {
  const { device, group, inventory } = route.useSearch()
  const [form, setForm] = useState<Form>({
    action: 'DeviceInformation',
    aim: inventory ? 'daily' : group ? 'group' : 'devices',
    devices: device ? [device] : [],
    group: group ?? '',
    reason: inventory ? 'Inventory: what devices there are' : '',
    values: {},
    otherType: '',
    otherSets: '',
    unknownAction: false,
  })
  const change = (part: Partial<Form>) => setForm(before => ({ ...before, ...part }))
  const navigate = useNavigate()
  const draft = useMutation({
    mutationFn: drafted,
    onSuccess: ({ order }) => {
      inventoryIsDrafted()
      navigate({ to: '/orders/$order', params: { order } })
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    draft.mutate(form)
  }
  return (
    <Page
      title="Draft an order"
      lead="Say what, to which devices, and why. Nothing is sent until it is approved on the next page."
    >
      {inventory && isInventoryWanted() && (
        <p className="lead">
          This is the inventory order that you asked for at set-up. Look at it, then draft it and approve it.
        </p>
      )}
      <form onSubmit={submit} className="draft">
        {inventory ? null : <ActionPart form={form} change={change} />}
        <SettingsFields action={form.action} settings={form} onChange={change} />
        <AimPart form={form} change={change} />
        <Part title="Why">
          <Line
            label="Reason"
            help="Sealed and kept for auditors; its digest is part of the order. Approvers do not see it: tell them yourself."
            value={form.reason}
            onChange={reason => change({ reason })}
            maxLength={2000}
            isRequired
          />
        </Part>
        <Failure error={draft.error} />
        <div className="actions">
          <Act type="submit" isPending={draft.isPending}>
            Draft it
          </Act>
          <Link
            to={inventory ? '/' : '/orders'}
            onClick={() => inventory && inventoryIsDrafted()}
            className="button quiet"
          >
            {inventory ? 'Not now' : 'Back to the orders'}
          </Link>
        </div>
      </form>
    </Page>
  )
}

type PartProps = { form: Form; change: (part: Partial<Form>) => void }

function ActionPart({ form, change }: PartProps) {
  const choose = (action: string) =>
    change({ action, values: {}, file: undefined, ...(standing(form.aim) && { aim: 'devices' }) })
  return (
    <Part title="What">
      <RadioGroup aria-label="What" className="classes" value={form.action} onChange={choose}>
        {CLASSES.map(one => (
          <section key={one} className="class">
            <p className="class-head">
              <ClassBadge of={one} /> {CLASS_WORDS[one]}
            </p>
            <div className="choices">
              {ACTIONS.filter(({ least }) => least === one).map(action => (
                <Choice key={action.type} value={action.type} title={action.title}>
                  {action.about}
                </Choice>
              ))}
            </div>
          </section>
        ))}
        <section className="class">
          <p className="class-head">Anything else</p>
          <Choice value={OTHER} title="Another command, by its protocol name">
            Its class is worked out from its bytes; what nobody has classed counts as destroy.
          </Choice>
        </section>
      </RadioGroup>
    </Part>
  )
}

const standing = (aim: Aim) => aim === 'daily' || aim === 'enrolment'
const mayStand = (action: Action | undefined) => action?.least === 'read' || action?.least === 'change'

function AimPart({ form, change }: PartProps) {
  const { devices } = useDevices()
  const groups = useQuery({ queryKey: ['groups'], queryFn: () => call<{ groups: GroupLine[] }>('/api/groups') })
  const lines = groups.data?.groups ?? []
  const enrolled = devices?.filter(({ state }) => state !== 'left') ?? []
  return (
    <Part title="To which devices">
      <RadioGroup
        aria-label="To which devices"
        className="choices"
        value={form.aim}
        onChange={aim =>
          change({ aim: aim as Aim, ...(aim === 'group' && form.group === '' && { group: lines[0]?.group ?? '' }) })
        }
      >
        <Choice value="devices" title="Chosen devices" />
        {lines.length > 0 && (
          <Choice value="group" title="A group">
            Its members at this moment.
          </Choice>
        )}
        <Choice value="all" title="All enrolled devices">
          {`At this moment ${counted(enrolled.length)}.`}
        </Choice>
        {mayStand(actionOf(form.action)) && (
          <>
            <Choice value="daily" title="Every device, every day">
              A standing order: approved once, for those that enrol later too.
            </Choice>
            <Choice value="enrolment" title="Every device, once">
              A standing order: now, and when a device enrols.
            </Choice>
          </>
        )}
      </RadioGroup>
      {form.aim === 'devices' && devices && (
        <DevicePicker devices={enrolled} chosen={form.devices} onChange={chosen => change({ devices: chosen })} />
      )}
      {form.aim === 'group' && (
        <Pick
          label="Group"
          value={form.group}
          onChange={group => change({ group })}
          options={lines.map(({ group, alias, devices: size }) => [group, `${alias} (${counted(size)})`])}
        />
      )}
    </Part>
  )
}

async function drafted(form: Form): Promise<Draft> {
  const action = form.action === OTHER ? form.otherType.trim() : form.action
  const body = form.file?.base64
  const command = {
    action,
    set: setsOf(form),
    reason: form.reason.trim(),
    ...(body !== undefined && { body }),
    ...(form.action === OTHER && form.unknownAction && { unknownAction: true as const }),
  }
  if (actionOf(form.action)?.file !== undefined && body === undefined)
    throw new Refusal('BAD_REQUEST', 'No profile is chosen.', 'Choose the .mobileconfig file to install.')
  if (form.aim === 'daily' || form.aim === 'enrolment')
    return call<Draft>('/api/standing', { body: { ...command, trigger: form.aim } satisfies StandingDraft })
  return call<Draft>('/api/orders', { body: { ...command, ...targetsOf(form) } satisfies OrderDraft })
}

function targetsOf({ aim, devices, group }: Form) {
  if (aim === 'all') return { all: true } as const
  if (aim === 'group') return { group }
  if (devices.length === 0)
    throw new Refusal('BAD_REQUEST', 'No device is chosen.', 'Tick at least one device, or choose a group or all.')
  return { devices }
}
