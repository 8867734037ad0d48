// Bundles the page into dist. The values of the OTEL_* variables of now become part of it.
import { copyFile } from 'node:fs/promises';
import { build } from 'esbuild';

const env = process.env;
const attributes = (env.OTEL_RESOURCE_ATTRIBUTES ?? '').split(',').filter(Boolean).map((pair) => pair.split('=').map(decodeURIComponent));

await build({
  entryPoints: ['page.js'],
  bundle: true,
  minify: true,
  target: 'es2015', // zone.js follows promises, and does not see async functions
  outdir: 'dist',
  define: {
    OTLP_ENDPOINT: JSON.stringify(env.OTEL_EXPORTER_OTLP_ENDPOINT ?? 'http://localhost:4318'),
    RESOURCE_ATTRIBUTES: JSON.stringify({ ...Object.fromEntries(attributes), 'service.name': 'shop-page' }),
  },
});
await copyFile('index.html', 'dist/index.html');
