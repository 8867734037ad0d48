// OpenTelemetry's web SDK, as its guide says: https://opentelemetry.io/docs/languages/js/getting-started/browser/
import { getWebAutoInstrumentations } from '@opentelemetry/auto-instrumentations-web';
import { ZoneContextManager } from '@opentelemetry/context-zone';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, WebTracerProvider } from '@opentelemetry/sdk-trace-web';

// A browser has no environment variables: build.mjs puts their values in the places of
// OTLP_ENDPOINT and RESOURCE_ATTRIBUTES.
const provider = new WebTracerProvider({
  resource: resourceFromAttributes(RESOURCE_ATTRIBUTES),
  spanProcessors: [
    new BatchSpanProcessor(new OTLPTraceExporter({ url: `${OTLP_ENDPOINT}/v1/traces` }), { scheduledDelayMillis: 500 }),
  ],
});
provider.register({ contextManager: new ZoneContextManager() });
registerInstrumentations({ instrumentations: [getWebAutoInstrumentations()] });
