import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { call, type GroupLine } from '../api.ts'
import { storeGroup } from '../groupversion.ts'
import { Act, Line } from '../parts/fields.tsx'
import { Empty, Failure, Loading, Page, Part } from '../parts/page.tsx'
import { Rows } from '../parts/rows.tsx'
import { useInstallation } from '../session.ts'
import { devices } from '../words.ts'

export function GroupsPage() {
  const query = useQuery({ queryKey: ['groups'], queryFn: () => call<{ groups: GroupLine[] }>('/api/groups') })
  const groups = query.data?.groups
  return (
    <Page
      title="Groups"
      lead="Devices that get orders together. Each version of a group is signed by a member, so nobody can slip a device in."
    >
      <Failure error={query.error} />
      {!groups && !query.error && <Loading />}
      {groups?.length === 0 && (
        <Empty title="There is no group yet">
          <p>Make one below. Devices join it one by one, or by an invitation that names it.</p>
        </Empty>
      )}
      {groups && groups.length > 0 && (
        <Rows
          label="Groups"
          kind="groups"
          items={groups}
          keyOf={({ group }) => group}
          columns={[
            {
              title: 'Group',
              name: 'c-name',
              cell: ({ group, alias }) => (
                <Link to="/groups/$group" params={{ group }} className="row-link">
                  {alias}
                </Link>
              ),
            },
            { title: 'Devices', name: 'c-state', cell: line => devices(line.devices) },
            { title: 'Version', name: 'c-when', cell: ({ version }) => `Version ${version}` },
          ]}
        />
      )}
      <NewGroup />
    </Page>
  )
}

function NewGroup() {
  const me = useInstallation()
  const navigate = useNavigate()
  const [alias, setAlias] = useState('')
  const make = useMutation({
    mutationFn: () => storeGroup({ alias, members: [] }, me),
    onSuccess: ({ group }) => navigate({ to: '/groups/$group', params: { group } }),
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    make.mutate()
  }
  return (
    <Part title="Make a group">
      <form onSubmit={submit} className="stack">
        <Line
          label="Alias"
          help="Small letters, digits and hyphens. It is seen by everybody who signs in."
          value={alias}
          onChange={setAlias}
          pattern="[a-z0-9][a-z0-9\-]{0,62}"
          format="Write small letters, digits and hyphens only, beginning with a letter or digit."
          isRequired
        />
        <Failure error={make.error} />
        <Act type="submit" icon="key" isPending={make.isPending}>
          Make it with your passkey
        </Act>
      </form>
    </Part>
  )
}
