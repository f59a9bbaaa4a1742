import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Refusal } from './api.ts'
import { router } from './router.tsx'
import { takeFromLink } from './softwarepasskey.ts'
import './style.css'

takeFromLink()
// The link in a tab that shows this page already changes the fragment alone: the page begins anew with it.
addEventListener('hashchange', () => takeFromLink() && location.reload())

/** What was refused stays refused; what was away is asked for again. */
const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) => count < 2 && error instanceof Refusal && error.code === 'UNAVAILABLE',
      staleTime: 2000,
    },
  },
})

createRoot(document.getElementById('app')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
