import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** Everything is a file of the app's own origin: its policy allows no inline script, style or data address. */
export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2023',
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
  },
})
