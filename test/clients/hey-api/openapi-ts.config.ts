import { defineConfig } from '@hey-api/openapi-ts';

export default defineConfig({
  input: process.env['DOCUMENT'] as string,
  output: { path: 'generated', module: { extension: '.ts' } },
  plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
});
