package verify

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints/labtest"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/config/mimir/rules"
)

// fake is a lab over HTTP: the services of labtest, and an Alloy, a Loki, a Tempo,
// a Mimir and a Grafana that answer the very queries of verify about the telemetry that
// those services would have sent. The hooks let a test break one thing.
type fake struct {
	*labtest.Lab
	addresses target.Addresses
	// committed are the files that it is provisioned with, model is the JSON of its
	// dashboard.
	committed
	model []byte

	// reply may change the answer to a request, seen gets the request; both are called
	// before its telemetry is stored.
	reply func(x exchange, a *labtest.Answer)
	seen  func(x exchange)
	// spans, lines, samples and exemplars may change what a request leaves;
	// samples are what a counter rises by. They are called with the lock held.
	spans     func(x exchange, spans []query.Span) []query.Span
	lines     func(x exchange, lines []query.Line) []query.Line
	samples   func(x exchange, labels labels, by float64) float64
	exemplars func(x exchange, found []query.Exemplar) []query.Exemplar
	// searched may change the traces that a search for the spans of a run finds.
	searched func(found []any) []any
	// answers may answer in the place of a part, and returns whether it did.
	answers func(part string, w http.ResponseWriter, r *http.Request) bool
	// frozen says which series get no samples any more, hidden which there are not, lag
	// how late each sample of a series can be queried.
	frozen, hidden func(labels) bool
	lag            func(labels) time.Duration
	// settings is what Loki, Tempo and Mimir say of the settings that they run with.
	settings map[string]string
	// users is the metric lab_users, number the value of a panel's expression.
	users  func() float64
	number func(expr string) float64
	// ruler has these rules instead of the committed ones. rule may change what it says
	// of one; a rule of which it says nothing is left out.
	ruler []rules.Group
	rule  func(rule map[string]any)

	mu     sync.Mutex
	traces map[string][]query.Span
	logs   []query.Line
	series map[string]*series
	marks  []query.Exemplar
}

// exchange is a request that was answered, and its part in a run of verify.
type exchange struct {
	// from is who made it: traffic, outside (of the run), endpoints, probe, slow,
	// failing, or other.
	from string
	// n is the number of a request of the traffic, from 1.
	n int
	// service is the one that was asked, method, route and path what for.
	service, method, route, path string
	status                       int
	traceID, parent              string
	sampled                      bool
	delay                        time.Duration
	at                           time.Time
}

// startFake starts a lab that has been up for a while and has lost something
// before; it stops with the test.
func startFake(t testing.TB) *fake {
	f := &fake{Lab: labtest.Start(t), traces: map[string][]query.Span{}, series: map[string]*series{}}
	f.settings = map[string]string{ // a part of what they answer with the lab's configuration
		"loki": "target: all\ncompactor:\n  retention_enabled: true\nlimits_config:\n  retention_period: 30d\n" +
			"  retention_stream:\n  - period: 1y\n    priority: 1\n    selector: '{lab_audit=\"users\"}'\n",
		"tempo": "GET /status/config\n---\ntarget: all\ncompactor:\n    compaction:\n        block_retention: 168h0m0s\n",
		"mimir": "target: all\nlimits:\n  compactor_blocks_retention_period: 1y\n",
	}
	f.users = func() float64 { return float64(len(f.Users())) }
	f.committed, f.model = demo(t)
	f.Tamper = f.record
	stack := httptest.NewServer(f.handler())
	t.Cleanup(stack.Close)
	f.addresses = target.Addresses{
		Name: "fake", Frontend: f.Frontend, Backend: f.Backend,
		Alloy: stack.URL + "/alloy", Loki: stack.URL + "/loki", Tempo: stack.URL + "/tempo", Mimir: stack.URL + "/mimir",
		Grafana: stack.URL + "/grafana",
	}
	f.seed()
	return f
}

// quick is a timing in which the fake is verified in a fraction of a second. What
// is right is found at the first look; the limit is for what is broken.
func quick(limit time.Duration) timing {
	t := timing{
		every: 10 * time.Millisecond, again: 10 * time.Millisecond, ready: longLimit, answer: 2 * limit,
		export: 50 * time.Millisecond, alive: time.Minute, generator: limit, metrics: limit, settled: limit, kubelet: limit,
		queues: limit, panels: limit, rules: limit, links: limit, grafana: limit,
		trace: limit, line: limit, traces: limit, lines: limit, counts: limit,
		exemplar: limit, delay: 20 * time.Millisecond, fresh: map[string]time.Duration{},
	}
	for _, name := range signals {
		t.fresh[name] = limit
	}
	return t
}

// smallest is a profile with every kind of request.
var smallest = traffic.Profile{Name: "small", Rate: 400, Requests: 28, Slow: 0.1, Error: 0.1, Delay: time.Millisecond, Seed: 1}

// shortLimit is enough for what is right unless the machine is very busy;
// longLimit is enough then too.
const (
	shortLimit = 300 * time.Millisecond
	longLimit  = 10 * shortLimit
)

// verifier returns one that takes the fake for a lab.
func (f *fake) verifier() *verifier {
	return &verifier{
		Options: Options{Addresses: f.addresses, Profile: smallest, Retention: retention.Periods{
			Logs: 720 * time.Hour, Traces: 168 * time.Hour, Metrics: 8760 * time.Hour, Audit: 8760 * time.Hour,
		}}, committed: f.committed, timing: quick(longLimit), endpoints: endpoints.Run,
		send: func(ctx context.Context, o traffic.Options) (traffic.Report, error) {
			t, err := traffic.Run(ctx, o)
			// How punctual a busy machine is is not what these tests are about.
			t.Rate = max(t.Rate, o.Profile.Rate)
			return t, err
		},
	}
}

var (
	idPattern = regexp.MustCompile(`/users/[^/]+`)
	probes    = regexp.MustCompile(`^/(health|ready)$`)
)

// record stores the telemetry of an answered request: that of the service, and,
// of a request to the frontend's API, that of the backend behind it.
func (f *fake) record(service string, r *http.Request, a *labtest.Answer) {
	if probes.MatchString(r.URL.Path) {
		return
	}
	x := exchange{
		from: "other", service: service, method: r.Method, path: r.URL.Path, status: a.Status, at: time.Now(),
		route: idPattern.ReplaceAllString(r.URL.Path, "/users/{id}"),
	}
	if parts := strings.Split(r.Header.Get("Traceparent"), "-"); len(parts) == 4 {
		x.traceID, x.parent, x.sampled = parts[1], parts[2], parts[3] == "01"
	}
	fault := strings.TrimPrefix(r.Header.Get("Baggage"), "lab.fault=")
	if d, ok := strings.CutPrefix(fault, "delay:"); ok && !f.NoFaults {
		x.delay, _ = time.ParseDuration(d)
	}
	switch agent := r.UserAgent(); {
	case agent == "lgtm-lab-traffic" && x.sampled:
		n, _ := traffic.Number(x.traceID[:16], x.traceID)
		x.from, x.n = "traffic", n
	case agent == "lgtm-lab-traffic":
		x.from = "outside"
	case agent == "lgtm-lab-endpoints":
		x.from = "endpoints"
	case fault == "error":
		x.from = "failing"
	case fault != "":
		x.from = "slow"
	case x.route == "/api/users/{id}":
		x.from = "probe"
	}
	if f.reply != nil {
		f.reply(x, a)
		x.status = a.Status
	}
	f.store(x)
}

// store keeps what an exchange leaves.
func (f *fake) store(x exchange) {
	if f.seen != nil {
		f.seen(x)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	// The services log and count whether or not Tempo stores their spans.
	spans := x.spans()
	var lines []query.Line
	var exemplars []query.Exemplar
	for _, s := range spans {
		if s.Kind == query.Server {
			lines = append(lines, x.line(s))
			if s.Service == "backend" && (x.status == http.StatusCreated || x.status == http.StatusNoContent) {
				lines = append(lines, x.auditLine(s))
			}
		}
		for _, c := range x.counters(s) {
			by := 1.0
			if f.samples != nil {
				by = f.samples(x, c, by)
			}
			if by != 0 {
				f.add(c, by)
			}
		}
		exemplars = append(exemplars, x.exemplars(s)...)
	}
	if f.lines != nil {
		lines = f.lines(x, lines)
	}
	f.logs = append(f.logs, lines...)
	if !x.sampled {
		return
	}
	if f.spans != nil {
		spans = f.spans(x, spans)
	}
	f.traces[x.traceID] = append(f.traces[x.traceID], spans...)
	// A histogram keeps one of many requests.
	if x.from == "endpoints" || x.n%7 != 0 {
		return
	}
	if f.exemplars != nil {
		exemplars = f.exemplars(x, exemplars)
	}
	f.marks = append(f.marks, exemplars...)
}

// podOf is the name of a service's pod; the fake has it whether or not verify is
// told of a cluster.
func podOf(service string) string { return service + "-7d4b9c6f5-x2x1z" }

// spans are those of the whole way of the exchange.
func (x exchange) spans() []query.Span {
	span := func(service, name, parent string, kind query.Kind, attrs map[string]string) query.Span {
		return query.Span{
			ID: hex.EncodeToString(strconv.AppendUint(nil, rand.Uint64N(9e7)+1e7, 10)), ParentID: parent, Service: service, Name: name, Kind: kind,
			Start: x.at.Add(-x.delay - time.Millisecond), End: x.at, Failed: x.status >= 500, Attributes: attrs,
			Resource: labels{"service.name": service, "k8s.namespace.name": "app", "k8s.pod.name": podOf(service)},
		}
	}
	route := func(r string) map[string]string {
		return map[string]string{"http.route": r, "http.request.method": x.method, "http.response.status_code": strconv.Itoa(x.status)}
	}
	backendRoute, parent := x.route, x.parent
	var spans []query.Span
	if x.service == "frontend" {
		var isAPI bool
		backendRoute, isAPI = strings.CutPrefix(x.route, "/api")
		server := span("frontend", x.method+" "+x.route, x.parent, query.Server, route(x.route))
		spans = append(spans, server)
		if !isAPI {
			return spans
		}
		between := span("frontend", "proxy", server.ID, query.Internal, nil)
		client := span("frontend", x.method+" "+backendRoute, between.ID, query.Client, route(""))
		spans, parent = append(spans, between, client), client.ID
	}
	server := span("backend", x.method+" "+backendRoute, parent, query.Server, route(backendRoute))
	spans = append(spans, server)
	sql := func(name, statement string, attrs map[string]string) {
		attrs["db.system.name"], attrs["db.namespace"], attrs["db.operation.name"], attrs["db.query.text"] = "sqlite", "users", "SELECT", statement
		spans = append(spans, span("backend", name, server.ID, query.Client, attrs))
	}
	if x.from == "slow" || x.from == "failing" {
		sql("SELECT", "SELECT lab_sleep(?)", map[string]string{})
	}
	if x.from != "failing" {
		sql("SELECT users", `SELECT "u"."id", "u"."name" FROM "users" AS "u" WHERE (id = ?)`, map[string]string{"db.collection.name": "users"})
	}
	return spans
}

// line is the access-log line of a server span.
func (x exchange) line(s query.Span) query.Line {
	level := "info"
	if x.status >= 500 {
		level = "error"
	}
	return query.Line{Time: x.at, Text: "request", Labels: labels{
		"service_name": s.Service, "job": s.Service, "level": level, "trace_id": x.traceID, "span_id": s.ID,
		"http_response_status_code": strconv.Itoa(x.status), "http_route": s.Attributes["http.route"],
		"k8s_namespace_name": "app", "k8s_pod_name": podOf(s.Service),
	}}
}

// auditLine is the line of a changed user.
func (x exchange) auditLine(s query.Span) query.Line {
	l := x.line(s)
	l.Text, l.Labels["lab_audit"], l.Labels["lab_audit_result"] = "user created", "users", "success"
	return l
}
