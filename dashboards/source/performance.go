package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/units"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// performance answers: what takes the time, and what does it cost?
func performance() *page {
	p := newPage("lab-performance", "Performance",
		"What takes the time: by route, by span, in SQL, in the Go runtime; and what the machines have.",
		serviceVariable(), namespaceVariable(),
		fromMimir("route", "Route", "The HTTP routes that the first row shows.",
			`label_values({__name__=~"http_server_request_duration_seconds_count|http_server_duration_milliseconds_count", service_name=~"$service"}, http_route)`, ".*"),
		slowerVariable())
	routes(p)
	traces(p)
	database(p)
	runtime(p)
	machines(p)
	return p
}

// slowerVariable is the duration from which on a request counts as slow.
func slowerVariable() variable {
	const first = "100ms"
	one := dashboard.StringOrArrayOfString{String: new(first)}
	var options []dashboard.VariableOption
	for _, v := range []string{"10ms", "50ms", first, "250ms", "500ms", "1s"} {
		text := dashboard.StringOrArrayOfString{String: new(v)}
		options = append(options, dashboard.VariableOption{Text: text, Value: text, Selected: new(v == first)})
	}
	return dashboard.NewCustomVariableBuilder("slower").
		Label("Slower than").
		Description("Which requests “Slowest requests” lists.").
		Values(dashboard.StringOrMap{String: new("10ms,50ms,100ms,250ms,500ms,1s")}).
		Options(options).
		Current(dashboard.VariableOption{Text: one, Value: one})
}

func routes(p *page) {
	p.row("Routes").line(normal,
		limited(graph("Duration", units.Seconds, about(
			"Half of the requests take less than p50, and so on up to p99. Each dot is one request and leads to its trace. The dashed line is the objective for p99, 0.5 s.",
			"when p50 rises too, everything is slower: look at CPU and at SQL below. When only p99 does, look at “Slowest requests”."),
			series("{{service_name}} p50", took("0.5", byService, usualWindow, ofRoute)),
			series("{{service_name}} p90", took("0.9", byService, usualWindow, ofRoute)),
			series("{{service_name}} p95", took("0.95", byService, usualWindow, ofRoute)),
			series("{{service_name}} p99", took("0.99", byService, usualWindow, ofRoute), exemplars)).
			NoValue(nothingAnswered),
			step{slow, "red"}),
		heat("How durations are spread", units.Seconds, about(
			"How many requests took how long: the darker, the more. Each dot is one request and leads to its trace.",
			"two bands are two kinds of request, for instance with and without a wait for a lock. The trace of a dot in the upper band shows what they wait for."),
			series("{{le}}", spread(ofRoute), buckets, exemplars)).
			NoValue(dashboards.DoesNotApply+"the chosen services have sent no spans, and no HTTP metrics of the current conventions"))
	p.line(normal,
		graph("p95 by route", units.Seconds, about(
			"95 % of a route's requests took less, as each service measured it.",
			"if a route is slow in the frontend and fast in the backend, the time is lost between them."),
			series("{{service_name}} {{http_route}}", took("0.95", byRoute, usualWindow, ofRoute))).
			NoValue(nothingAnswered),
		stacked(graph("Requests by route", units.RequestsPerSecond, about(
			"Requests per second of each route, stacked.",
			"if one route grows alone, a client has changed what it does; a route that vanishes is no longer called, or no longer exists."),
			series("{{service_name}} {{http_route}}", perSecondOf(byRoute, usualWindow, ofRoute, false))).
			NoValue(nothingAnswered)),
		stacked(graph("Requests rejected", units.RequestsPerSecond, about(
			"Requests per second that a service answered with 503 at once, because too many were in flight. They leave no traces.",
			"docs/runbooks/RequestsRejected.md: find out who sends so much, or what makes the requests in flight slow."),
			series("{{service_name}} {{error_type}}", sumBy("service_name, error_type", rate("http_server_request_rejected_total{"+chosen+"}")))).
			NoValue(dashboards.DoesNotApply+"the chosen services do not count what they reject (http.server.request.rejected)")))
	p.panel(24, normal, routeTable())
}

// routeTable has a row for each route and a column for each query. Grafana calls the
// column of query B "Value #B".
func routeTable() panelBuilder {
	of := func(q string) query { return cells(took(q, byRoute, wholeRange, ofRoute)) }
	t := list("Routes, over the whole range", about(
		"Requests, errors and durations of each route over the time range of the dashboard. Click on a heading to sort.",
		"look at the route with the highest p99 first; choose it at the top to see all graphs for it alone."),
		mimir, cells(perSecondOf(byRoute, wholeRange, ofRoute, false)), cells(failures(byRoute, wholeRange, ofRoute)), of("0.5"), of("0.9"), of("0.95"), of("0.99")).
		Unit(units.Seconds).
		NoValue(nothingAnswered).
		WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}}).
		WithTransformation(columns([]string{"Time"}, map[string]string{
			"service_name": "Service", "http_route": "Route", "Value #A": "Requests", "Value #B": "Errors",
			"Value #C": "p50", "Value #D": "p90", "Value #E": "p95", "Value #F": "p99",
		}, "service_name", "http_route", "Value #A", "Value #B", "Value #C", "Value #D", "Value #E", "Value #F")).
		OverrideByName("Requests", []dashboard.DynamicConfigValue{property("unit", units.RequestsPerSecond)}).
		OverrideByName("Errors", []dashboard.DynamicConfigValue{
			property("unit", units.PercentUnit),
			property("custom.cellOptions", map[string]any{"type": "color-text"}),
			property("thresholds", map[string]any{"mode": "absolute", "steps": []any{
				map[string]any{"value": nil, "color": "text"}, map[string]any{"value": objective, "color": "red"},
			}}),
		})
	return sorted(t, "p99")
}

func traces(p *page) {
	p.row("Traces")
	p.panel(14, high, sorted(spanList("Slowest requests", about(
		"Requests that took longer than “Slower than” at the top says, as each service saw them, the slowest first. A click on a span opens its trace.",
		"open the first one: the longest span without a child took the time."),
		spans(`{ resource.service.name =~ "$service" && (kind = server || kind = consumer || nestedSetParent < 0) && span:duration > $slower } | select(name, span.http.route, span.http.response.status_code)`)).
		NoValue("No request in this range took that long"), "Duration"))
	p.panel(10, high, graph("p95 by span", units.Seconds, about(
		"95 % of the spans with a name took less, from the metrics that Tempo makes of traces. Each dot is a span and leads to its trace.",
		"compare a span with its children: the deepest span that rose is the cause."),
		series("{{service}} {{span_name}}", quantile("0.95", "service, span_name", `traces_spanmetrics_latency_bucket{service=~"$service"}`), exemplars)).
		NoValue(dashboards.DoesNotApply+"the chosen services have sent no spans"))
}

const (
	noStatements = dashboards.DoesNotApply + "the chosen services make no database calls: they have neither db.client.operation.duration nor CLIENT spans with db.system.name"
	noGo         = dashboards.DoesNotApply + "the chosen services send no metrics of a Go runtime"
)

func database(p *page) {
	every := "sum(" + statements() + ")"
	failed := "sum(" + rate(statementCount+"{"+chosen+`, error_type!=""}`) + " or " + unmeasured(spansCount, ", "+failedSpan) + ")"
	const by, legend = "db_operation_name, db_collection_name", "{{db_operation_name}} {{db_collection_name}}"
	p.row("SQL").line(normal,
		graph("Duration of statements, p95", units.Seconds, about(
			"95 % of the statements took less. Each dot is one statement and leads to its trace, which has the SQL with placeholders. A statement without a table is a delay or failure on request.",
			"a slow SELECT needs an index or fewer rows; a slow INSERT or DELETE waits for the one writer that SQLite allows."),
			series(legend, quantile("0.95", by, "db_client_operation_duration_seconds_bucket{"+chosen+"}")+
				" or histogram_quantile(0.95, "+sumBy(by+", le", unmeasured(spansBucket, ""))+") >= 0", exemplars)).
			NoValue(noStatements),
		stacked(graph("Statements", units.OpsPerSecond, about(
			"Statements per second by operation and table; by span where a service does not measure its statements.",
			"if statements grow faster than requests, there is a query in a loop."),
			series(legend, sumBy(by, statements()))).
			NoValue(noStatements)),
		limited(graph("Failed statements", units.PercentUnit, about(
			"Share of the statements that failed.",
			"“Errors in the logs” on the Overview has the database's own message. The lab's traffic asks for some failures."),
			series("failed", "("+failed+" or 0 * "+every+") / ("+every+" > 0)")).
			NoValue(noStatements),
			step{objective, "red"}))
}

// statementCount counts the calls to databases, by the current semantic conventions.
const statementCount = "db_client_operation_duration_seconds_count"

// statements is the rate of the calls to databases: as services measure them, and by their
// CLIENT spans where a service does not.
func statements() string {
	return "(" + rate(statementCount+"{"+chosen+"}") + " or " + unmeasured(spansCount, "") + ")"
}

// unmeasured is the rate of the CLIENT spans of calls to databases, of the services that do
// not measure these. The span's name stands for the operation.
func unmeasured(spans, labels string) string {
	return "label_replace(" + rate(spans+"{"+chosen+`, span_kind="SPAN_KIND_CLIENT", db_system!=""`+labels+"}") +
		" unless on (service_name) count by (service_name) (" + statementCount + "{" + chosen + `}), "db_operation_name", "$1", "span_name", "(.+)")`
}

func runtime(p *page) {
	const by, legend = "service_name, k8s_pod_name, instance", "{{service_name}} {{k8s_pod_name}}"
	of := func(metric string) string { return metric + "{" + chosen + "}" }
	p.row("Go runtime").line(normal,
		graph("Goroutines", units.Short, about(
			"Goroutines of each instance of a service.",
			"a number that only grows is a leak: goroutines wait for something that never happens."),
			series(legend, sumBy(by, of("go_goroutine_count")))).
			NoValue(noGo),
		graph("Memory of the Go runtime", units.BytesIEC, about(
			"Memory that the runtime uses, and the heap size at which its next garbage collection starts.",
			"memory that grows while requests do not is a leak."),
			series(legend+" used", sumBy(by, of("go_memory_used_bytes"))),
			series(legend+" goal", sumBy(by, of("go_memory_gc_goal_bytes")))).
			NoValue(noGo),
		graph("Allocation", units.BytesPerSecondSI, about(
			"Bytes allocated per second. They cost time twice: on allocation and on garbage collection.",
			"when it rises faster than requests, something allocates more for each of them."),
			series(legend, sumBy(by, rate(of("go_memory_allocated_bytes_total"))), rare)).
			NoValue(noGo),
		graph("Wait for a processor, p99", units.Seconds, about(
			"How long a goroutine that is ready to run waits for a processor; 99 % wait less.",
			"some milliseconds mean that there is too little CPU: see CPU below."),
			series(legend, quantile("0.99", by, of("go_schedule_duration_seconds_bucket")), rare)).
			NoValue(noGo))
}

// pods selects what the nodes measure of pods, without those of the cluster itself.
const pods = `namespace=~"$namespace", namespace!~"kube-.*|local-path-storage", pod!=""`

// outsideCluster returns an expression that has values only where containers are not
// measured.
func outsideCluster(expr string) string {
	return "((" + expr + ") unless on () count(container_memory_working_set_bytes))"
}

// ofPod gives the series of a process the label pod.
func ofPod(label, expr string) string {
	return `label_replace(` + expr + `, "pod", "$1", "` + label + `", "(.+)")`
}

// machines shows what the services and the stack use. cAdvisor has a series for a pod and
// one for each of its containers; the pod's is the largest.
func machines(p *page) {
	p.row("CPU and memory").line(normal,
		graph("CPU", units.Short, about(
			"Processors in use by each pod: 1 is one processor, all the time. Outside a cluster, by each program of the stack: the services do not export theirs.",
			"when all together use what the machine has, everything gets slower. Give it more processors, or send less traffic."),
			series("{{pod}}", "max by (pod) ("+rate("container_cpu_usage_seconds_total{"+pods+"}")+") or "+
				outsideCluster(ofPod("job", sumBy("job", rate(`process_cpu_seconds_total{job=~"`+components+`"}`)))), rare)),
		graph("Memory", units.BytesIEC, about(
			"Memory in use by each pod. Outside a cluster, by each program of the stack and by the services' Go runtimes.",
			"a program whose memory only grows is killed in the end: see “Memory of the limit” below."),
			series("{{pod}}", "max by (pod) (container_memory_working_set_bytes{"+pods+"}) or "+
				outsideCluster(ofPod("job", `sum by (job) (process_resident_memory_bytes{job=~"`+components+`"})`)+" or "+
					ofPod("service_name", `sum by (service_name) (go_memory_used_bytes{`+chosen+`})`)), rare)))
	p.row("Containers (Kubernetes)").line(normal,
		graph("Network", units.BytesPerSecondSI, about(
			"Bytes per second that each pod receives and sends.",
			"a pod that sends and receives nothing calls something that does not answer."),
			series("{{pod}} in", sumBy("pod", rate("container_network_receive_bytes_total{"+pods+`, interface!="lo"}`)), rare),
			series("{{pod}} out", sumBy("pod", rate("container_network_transmit_bytes_total{"+pods+`, interface!="lo"}`)), rare)),
		graph("Disk writes", units.BytesPerSecondSI, about(
			"Bytes per second that each pod writes to disks.",
			"a busy disk slows SQLite and the stores of the stack down."),
			series("{{pod}}", "max by (pod) (sum by (pod, container) ("+rate("container_fs_writes_bytes_total{"+pods+"}")+"))", rare)).
			NoValue("This kernel does not count the writes of pods"),
		limited(graph("Memory of the limit", units.PercentUnit, about(
			"Share of its memory limit that each pod uses. At 100 % the kernel kills it. Pods without a limit are not shown.",
			"raise the limit in config/kubernetes, or find out what needs the memory."),
			series("{{pod}}", "max by (pod) (container_memory_working_set_bytes{"+pods+"} / (container_spec_memory_limit_bytes{"+pods+"} > 0))", rare)).
			Max(1),
			step{0.9, "red"}),
		limited(graph("Disks of the nodes", units.PercentUnit, about(
			"How full each node's disks are. At about 85 % Kubernetes begins to delete images, and then to evict pods; VolumeFilling fires.",
			"shorten the retention (lab up --retention), or give the node a larger disk."),
			series("{{node}} {{device}}", `max by (node, device) (container_fs_usage_bytes{id="/", device=~"/dev/.+", device!="/dev/shm"} / (container_fs_limit_bytes{id="/"} > 0))`, rare)).
			Max(1),
			step{0.85, "red"}))
}
