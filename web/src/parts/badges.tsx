import { CLASS_WORDS, UNKNOWN_CLASS } from '../actions.ts'
import type { DeliveryState, DeviceState, InvitationLine, OrderClass, OrderState } from '../api.ts'
import { at, DELIVERY_STATES, DEVICE_STATES, ORDER_STATES, when } from '../words.ts'
import { Icon, type IconName } from './icons.tsx'

type Tone = 'good' | 'calm' | 'warn' | 'bad'

function Word({ icon, tone, word, about }: { icon: IconName; tone: Tone; word: string; about: string }) {
  return (
    <span className={`word ${tone}`} title={about}>
      <Icon name={icon} />
      {word}
    </span>
  )
}

const DEVICE: Record<DeviceState, [IconName, Tone]> = {
  enrolled: ['check', 'good'],
  authenticating: ['dots', 'calm'],
  silent: ['moon', 'warn'],
  lost: ['pin', 'bad'],
  left: ['leave', 'calm'],
}
export function DeviceWord({ state }: { state: DeviceState }) {
  const [icon, tone] = DEVICE[state]
  return <Word icon={icon} tone={tone} {...DEVICE_STATES[state]} />
}

const DELIVERY: Record<DeliveryState, [IconName, Tone]> = {
  pending: ['clock', 'calm'],
  sent: ['send', 'calm'],
  acknowledged: ['check', 'good'],
  error: ['cross', 'bad'],
  'not-now': ['pause', 'warn'],
  expired: ['clock', 'warn'],
  cancelled: ['cross', 'calm'],
}
export function DeliveryWord({ state }: { state: DeliveryState }) {
  const [icon, tone] = DELIVERY[state]
  return <Word icon={icon} tone={tone} {...DELIVERY_STATES[state]} />
}

const ORDER: Record<OrderState, [IconName, Tone]> = {
  draft: ['pencil', 'warn'],
  approved: ['send', 'calm'],
  done: ['check', 'good'],
  expired: ['clock', 'calm'],
  cancelled: ['cross', 'calm'],
}
type OrderWordProps = { state: OrderState; standing?: boolean; refused?: number }
export function OrderWord({ state, standing = false, refused = 0 }: OrderWordProps) {
  const [icon, tone] = ORDER[state]
  if (state === 'done' && refused > 0)
    return (
      <Word icon="alert" tone="bad" word={`Done, ${refused.toLocaleString('en-GB')} refused`} about="Some said no." />
    )
  if (standing && (state === 'approved' || state === 'done'))
    return <Word icon="repeat" tone="good" word="Standing" about="Every device that it is for gets it." />
  return <Word icon={icon} tone={tone} {...ORDER_STATES[state]} />
}

export function InvitationWord({ line: { uses, used, expiresAt } }: { line: InvitationLine }) {
  if (used >= uses) return <Word icon="check" tone="calm" word="Used up" about="Every use of it is taken." />
  if (Date.parse(expiresAt) <= Date.now())
    return <Word icon="clock" tone="warn" word="Expired" about="Its time has ended." />
  return <Word icon="send" tone="good" word="Open" about="Whoever has its link can enrol a device." />
}

/** Of what opens, or is said, and is not signed by anybody who may. */
export const UnprovenWord = ({ why }: { why: string }) => <Word icon="alert" tone="warn" word="unproven" about={why} />

const CLASS_ICONS: Record<OrderClass, IconName> = { read: 'eye', change: 'sliders', trust: 'shield', destroy: 'flame' }

export function ClassBadge({ of }: { of: OrderClass | 'unknown' }) {
  if (of === 'unknown')
    return (
      <span className="badge destroy" title={UNKNOWN_CLASS}>
        <Icon name="alert" />
        unknown
      </span>
    )
  return (
    <span className={`badge ${of}`} title={CLASS_WORDS[of]}>
      <Icon name={CLASS_ICONS[of]} />
      {of}
    </span>
  )
}

export function When({ time }: { time: string | Date }) {
  return (
    <time dateTime={new Date(time).toISOString()} title={at(time)}>
      {when(time)}
    </time>
  )
}
