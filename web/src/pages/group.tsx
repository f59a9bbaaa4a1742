import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { call, type Group } from '../api.ts'
import { type OpenGroup, openGroup, storeGroup } from '../groupversion.ts'
import { DevicePicker } from '../parts/devicepicker.tsx'
import { Act } from '../parts/fields.tsx'
import { Failure, Loading, Missing, Notice, Page, Part, Waiting } from '../parts/page.tsx'
import { useInstallation } from '../session.ts'
import { devices as counted } from '../words.ts'
import { useDevices } from './devices.tsx'

const route = getRouteApi('/inside/groups/$group')

export function GroupPage() {
  const { group } = route.useParams()
  const { genesisDigest } = useInstallation()
  const query = useQuery({
    queryKey: ['group', group, genesisDigest],
    queryFn: async () => openGroup(await call<Group>(`/api/groups/${encodeURIComponent(group)}`), genesisDigest),
  })
  if (!query.data || query.error)
    return query.error ? <Missing what="group" to="/groups" error={query.error} /> : <Waiting title="Group" />
  return <Known key={query.data.version} group={query.data} />
}

function Known({ group }: { group: OpenGroup }) {
  const me = useInstallation()
  const queries = useQueryClient()
  const { devices } = useDevices()
  const [members, setMembers] = useState(group.members)
  const added = members.filter(device => !group.members.includes(device))
  const removed = group.members.filter(device => !members.includes(device))
  const store = useMutation({
    mutationFn: () => storeGroup({ alias: group.alias, members, after: group }, me),
    onSettled: () => queries.invalidateQueries(),
  })
  const invited = group.line.devices - group.members.length
  const changed = added.length + removed.length > 0
  return (
    <Page
      title={group.alias}
      lead={`${counted(group.line.devices)}, version ${group.version}`}
      actions={
        <Link to="/orders/new" search={{ group: group.id }} className="button main">
          New order for this group
        </Link>
      }
    >
      {!group.line.approved && (
        <Notice>Whoever signed this version has left. Nobody is in the group until you sign who belongs to it.</Notice>
      )}
      {invited > 0 && (
        <Notice>{counted(invited)} belong to it by their invitation, and stay until they enrol again.</Notice>
      )}
      <Part title="Members" note="Tick devices to add them, or leave some out; then sign the new version.">
        {devices ? <DevicePicker devices={devices} chosen={members} onChange={setMembers} /> : <Loading />}
        {changed && (
          <p role="status">
            New version: {added.length} added, {removed.length} left out.
          </p>
        )}
        <Failure error={store.error} />
        <div className="actions">
          <Act icon="key" isDisabled={!changed} isPending={store.isPending} onPress={() => store.mutate()}>
            Sign the new version with your passkey
          </Act>
          {changed && (
            <Act look="quiet" onPress={() => setMembers(group.members)}>
              Undo the changes
            </Act>
          )}
        </div>
      </Part>
    </Page>
  )
}
