import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { Label, RadioGroup } from 'react-aria-components'
import { call, type GroupLine, type InvitationCreated, type InvitationLine, type Tier } from '../api.ts'
import { invite, type Wanted } from '../invitation.ts'
import { InvitationWord, When } from '../parts/badges.tsx'
import { Act, Choice, Line, Pick, Tick } from '../parts/fields.tsx'
import { Failure, Page, Part } from '../parts/page.tsx'
import { QrCode } from '../parts/qr.tsx'
import { Rows } from '../parts/rows.tsx'
import { useInstallation } from '../session.ts'
import { at, devices, TIERS } from '../words.ts'

export function InvitationsPage() {
  const me = useInstallation()
  const queries = useQueryClient()
  const make = useMutation({
    mutationFn: (wanted: Wanted) => invite(wanted, me),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['invitations'] }),
  })
  return (
    <Page
      title="Invitations"
      lead="A link that enrols a device. What the device can ever be told is decided here, and cannot be widened later."
    >
      {make.data ? (
        <Made invitation={make.data} onAgain={make.reset} />
      ) : (
        <NewInvitation isPending={make.isPending} error={make.error} onMake={make.mutate} />
      )}
      <Earlier />
    </Page>
  )
}

function Made({ invitation: { url, expiresAt }, onAgain }: { invitation: InvitationCreated; onAgain: () => void }) {
  const [copied, setCopied] = useState(false)
  const copy = () => navigator.clipboard.writeText(url).then(() => setCopied(true))
  return (
    <Part
      title="The invitation is ready"
      note={<>It ends on {at(expiresAt)}. The link is shown only now: whoever has it can enrol a device.</>}
    >
      <div className="made">
        <QrCode text={url} label="QR code of the invitation’s link" />
        <div className="stack">
          <p>Scan the code with the phone’s camera, or open the link on the device.</p>
          <p className="mono breaks link-box">{url}</p>
          <div className="actions">
            <Act onPress={copy}>Copy the link</Act>
            <Act look="quiet" onPress={onAgain}>
              Make another
            </Act>
          </div>
          <p role="status">{copied && 'Copied.'}</p>
        </div>
      </div>
    </Part>
  )
}

type NewProps = { isPending: boolean; error: unknown; onMake: (wanted: Wanted) => void }
const DAYS: [string, string][] = [
  ['1', 'One day'],
  ['7', 'One week'],
  ['30', '30 days'],
  ['90', '90 days'],
]
const TIER_ORDER: Tier[] = ['private', 'no-wipe', 'full']
const MOST_USES = 100_000

function NewInvitation({ isPending, error, onMake }: NewProps) {
  const { units } = useInstallation()
  const groups = useQuery({ queryKey: ['groups'], queryFn: () => call<{ groups: GroupLine[] }>('/api/groups') })
  const [wanted, setWanted] = useState<Wanted>({
    tier: 'private',
    unit: units[0]?.id ?? '',
    groups: [],
    uses: 1,
    days: 7,
    signed: true,
  })
  const change = (part: Partial<Wanted>) => setWanted({ ...wanted, ...part })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onMake(wanted)
  }
  const toggle = (group: string, on: boolean) =>
    change({ groups: on ? [...wanted.groups, group] : wanted.groups.filter(one => one !== group) })
  return (
    <Part title="Make an invitation">
      <form onSubmit={submit} className="stack">
        <RadioGroup className="choices" value={wanted.tier} onChange={tier => change({ tier: tier as Tier })}>
          <Label>Tier</Label>
          {TIER_ORDER.map(tier => (
            <Choice key={tier} value={tier} title={TIERS[tier].word}>
              {TIERS[tier].about}
            </Choice>
          ))}
        </RadioGroup>
        <div className="filters">
          <Line
            label="How many devices"
            type="number"
            value={String(wanted.uses || '')}
            onChange={uses => change({ uses: Math.max(0, Math.min(MOST_USES, Math.trunc(Number(uses)) || 0)) })}
            isRequired
          />
          <Pick
            label="Good for"
            value={String(wanted.days)}
            onChange={days => change({ days: Number(days) })}
            options={DAYS}
          />
          {units.length > 1 && (
            <Pick
              label="Unit"
              value={wanted.unit}
              onChange={unit => change({ unit })}
              options={units.map(({ id, alias }) => [id, alias])}
            />
          )}
        </div>
        {(groups.data?.groups.length ?? 0) > 0 && (
          <fieldset>
            <legend>Groups that the device joins</legend>
            {groups.data?.groups.map(({ group, alias }) => (
              <Tick key={group} isSelected={wanted.groups.includes(group)} onChange={on => toggle(group, on)}>
                {alias}
              </Tick>
            ))}
          </fieldset>
        )}
        <Tick
          isSelected={wanted.signed}
          onChange={signed => change({ signed })}
          help="Leave it on, unless a device refuses signed profiles."
        >
          Sign the profile
        </Tick>
        <Failure error={error} />
        <Act type="submit" icon="key" isPending={isPending}>
          Approve it with your passkey
        </Act>
      </form>
    </Part>
  )
}

function Earlier() {
  const query = useQuery({
    queryKey: ['invitations'],
    queryFn: () => call<{ invitations: InvitationLine[] }>('/api/invitations'),
  })
  const lines = query.data?.invitations ?? []
  if (query.error) return <Failure error={query.error} />
  if (lines.length === 0) return null
  return (
    <Part title="Invitations so far" note="Links are not kept, so they cannot be shown again.">
      <Rows
        label="Invitations"
        kind="invitations"
        items={lines}
        keyOf={({ invitation }) => invitation}
        columns={[
          { title: 'Tier', name: 'c-name', cell: ({ tier }) => <span className="strong">{TIERS[tier].word}</span> },
          {
            title: 'State',
            name: 'c-state',
            cell: line => <InvitationWord line={line} />,
          },
          {
            title: 'Devices',
            name: 'c-tier',
            cell: ({ uses, used }) => `${used.toLocaleString('en-GB')} of ${devices(uses)}`,
          },
          { title: 'Made', name: 'c-platform', cell: ({ createdAt }) => <When time={createdAt} /> },
          {
            title: 'Ends',
            name: 'c-when',
            cell: ({ expiresAt }) => (
              <>
                {Date.parse(expiresAt) < Date.now() ? 'Ended ' : 'Ends '}
                <When time={expiresAt} />
              </>
            ),
          },
          { title: 'Profile', name: 'c-more', cell: ({ signed }) => (signed ? 'Signed' : 'Not signed') },
        ]}
      />
    </Part>
  )
}
