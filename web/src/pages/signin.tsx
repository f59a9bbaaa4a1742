import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { FileTrigger } from 'react-aria-components'
import { findInstallation, type Installation, short } from '../installation.ts'
import { Act } from '../parts/fields.tsx'
import { Failure, Loading, Notice, Page } from '../parts/page.tsx'
import { isKeyPending, sealPending } from '../people/unlock.ts'
import { signIn } from '../session.ts'
import { Mark } from '../shell.tsx'
import { chooseSoftwarePasskey, DAMAGED, isLinkUseless, softwarePasskey } from '../softwarepasskey.ts'
import { isInventoryWanted } from './setup.tsx'
import { StoppedPage } from './stopped.tsx'

const route = getRouteApi('/sign-in')

export function SignInPage() {
  const { to } = route.useSearch()
  const navigate = useNavigate()
  const found = useQuery({ queryKey: ['installation'], queryFn: findInstallation, staleTime: 0 })
  const enter = useMutation({
    mutationFn: async (installation: Installation) => {
      const { me, approval, prf } = await signIn(installation)
      try {
        await sealPending({ ...installation, me }, { credential: approval.credentialId, prf })
      } catch {
        return navigate({ to: '/people' }) // which offers to try again
      }
      return isInventoryWanted()
        ? navigate({ to: '/orders/new', search: { inventory: true } })
        : navigate({ href: to ?? '/' })
    },
    gcTime: 0,
  })
  if (found.isError) return <StoppedPage error={found.error} />
  if (!found.data) return <Loading />
  const { name, genesisDigest } = found.data
  const software = softwarePasskey(found.data)
  return (
    <div className="door">
      <Mark />
      <Page title="Sign in" lead={`to ${name}`}>
        <p>Your passkey shows who you are. There is no password, and nothing that could be typed into a false page.</p>
        {isKeyPending() && (
          <p>It is asked twice this time: to sign in, and to keep the key of the directory for you.</p>
        )}
        <Failure error={enter.error} />
        {isLinkUseless(found.data) && (
          <Notice tone="warn">
            <p className="strong">{DAMAGED.what}</p>
            <p>{DAMAGED.remedy}</p>
          </Notice>
        )}
        <Act icon="key" autoFocus isPending={enter.isPending} onPress={() => enter.mutate(found.data)}>
          {software ? `Sign in as ${software.alias}` : 'Sign in with your passkey'}
        </Act>
        {found.data.softwarePasskeys && (
          <SoftwarePasskeyChoice installation={found.data} onChosen={() => enter.mutate(found.data)} />
        )}
        <p className="note">
          This browser knows the installation by its genesis, <span className="mono">{short(genesisDigest)}</span>, and
          stops if another answers in its place.
        </p>
      </Page>
    </div>
  )
}

/** Only where the roster allows keys in files: installations for trying out. */
function SoftwarePasskeyChoice({ installation, onChosen }: { installation: Installation; onChosen: () => void }) {
  const inUse = softwarePasskey(installation) !== undefined
  const choose = useMutation({
    mutationFn: async (file: File) => chooseSoftwarePasskey(await file.text(), installation),
    onSuccess: onChosen,
  })
  return (
    <>
      <p className="note">
        This installation is for trying out: it accepts software passkeys, keys in files.{' '}
        {inUse ? 'One is in use in this tab.' : 'Choose one of them, if you have no passkey here.'}
      </p>
      <FileTrigger acceptedFileTypes={['.passkey', '.json']} onSelect={files => files?.[0] && choose.mutate(files[0])}>
        <Act look="quiet" icon="key" isPending={choose.isPending}>
          {inUse ? 'Use another software passkey …' : 'Use a software passkey …'}
        </Act>
      </FileTrigger>
      <Failure error={choose.error} />
    </>
  )
}
