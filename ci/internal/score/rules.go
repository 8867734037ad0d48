package score

import "github.com/lgtm-lab/lgtm-lab/ci/internal/facts"

// A rule is one of the specification's.
type rule struct {
	id     string
	impact Impact
	// title says when the rule passes, in one sentence without a full stop.
	title string
	judge func(facts.Service) verdict
	// advice says what to change when it fails.
	advice string
}

// A verdict is evidence of a failure, or a reason why there is no verdict; neither when the
// rule passes.
type verdict struct {
	evidence []string
	reason   string
}

// rules are all of the specification, in its order of files.
var rules = []rule{
	{"LOG-001", Important, "no DEBUG records in production for more than 14 days", debugInProduction,
		"Raise the level of the logger, or of its OpenTelemetry handler, to INFO in production. Set deployment.environment.name (OTEL_RESOURCE_ATTRIBUTES) to what the environment is."},
	{"LOG-002", Important, "every log record has a severity number", severity,
		"Send log records through the logging library's OpenTelemetry handler or appender, which sets the number. Where a collector reads files, give its parser the severity's field and a mapping."},
	{"MET-001", Important, "each attribute of a metric has fewer than 10,000 values in an hour", cardinality,
		"Take the attribute out of the metric: with a view of the SDK (attribute_keys), or in the call that records the value. Ids belong on spans and log records."},
	{"MET-002", Important, "every metric has a unit that is UCUM", units,
		"Give the instrument a unit when it is created: s, By, 1, or an annotation such as {request}. The codes are those of UCUM: s and not sec, By and not bytes."},
	{"MET-003", Important, "one metric name has one unit", oneUnit,
		"Create the instrument with the same unit everywhere, or give the two measurements two names."},
	{"MET-004", Normal, "one histogram name has one set of buckets", oneBuckets,
		"Set the buckets at one place: with a view of the SDK, or as the instrument's advice (explicit bucket boundaries). Deploy all instances with it, or use base-2 exponential histograms."},
	{"MET-005", Normal, "no metric name contains its unit", unitInName,
		"Take the unit's name out of the metric's name and leave it in the unit: collection.duration with s, not collection.duration.seconds. A database such as Prometheus adds it itself."},
	{"MET-006", Important, "no metric is named like an attribute of the conventions", attributeAsMetric,
		"Rename the metric after what it measures, such as http.server.request.duration, in a namespace of your own if no convention has it."},
	{"RES-001", Normal, "every resource has service.instance.id", instancePresent,
		"Turn the SDK's service resource detector on, or set service.instance.id to a random UUID when the process starts (OTEL_RESOURCE_ATTRIBUTES=service.instance.id=$(uuidgen))."},
	{"RES-002", Important, "no service.instance.id is shared by two logical resources", instanceUnique,
		"Make service.instance.id anew in every process: do not write it into an image, a deployment or a shared configuration. In Kubernetes use the pod's uid and the container's name."},
	{"RES-003", Important, "telemetry of pods has k8s.pod.uid", podUID,
		"Give the pod its uid by the downward API (fieldRef metadata.uid) in OTEL_RESOURCE_ATTRIBUTES, let the OpenTelemetry operator inject it, or run the collector's k8sattributes processor before the backend."},
	{"RES-004", Important, "attributes of the conventions are at their level", attributeLevels,
		"Put what describes the process (service.*, host.*, k8s.*) on the resource, and what describes one request or event on its span or log record."},
	{"RES-005", Critical, "service.name is there and not empty", serviceName,
		"Set OTEL_SERVICE_NAME, or service.name in the SDK's resource."},
	{"SDK-001", Low, "language and runtime are within those that the SDK supports", runtimeSupported,
		"Raise the runtime's version to one that the SDK supports, or take the SDK's last version that supports the runtime."},
	{"SPA-001", Normal, "no trace has more than 10 INTERNAL spans of the service", manyInternal,
		"Turn off the instrumentation of inner steps (middleware, templates, object mappers), or record them as events of the span above."},
	{"SPA-002", Normal, "every parent id names a span of the trace", orphans,
		"Sample by the parent's decision (OTEL_TRACES_SAMPLER=parentbased_…) in all services, export every span to the same place, end every span, and flush the SDK before the process ends. A client that sends traceparent must export its span, too."},
	{"SPA-003", Important, "span names have a bounded number", spanNames, ""},
	{"SPA-004", Important, "no root span is of kind CLIENT", clientRoots,
		"Begin a span of kind SERVER, CONSUMER or INTERNAL around the work that makes the call, and hand its context on to the client. Spans of a browser's SDK: begin a span for the page's load or the user's click."},
	{"SPA-005", Important, "no trace has more than 20 spans shorter than 5 ms", manyShort,
		"Put a loop's calls into one batch with one span, and turn off the instrumentation of calls that take microseconds."},
}
