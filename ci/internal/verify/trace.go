package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// path is a request's way through the lab: each span is below the one before.
type path struct{ server, client, backend, sql query.Span }

// joinedTrace checks that the probe is one trace with every hop in it.
func (v *verifier) joinedTrace(ctx context.Context, p *probe) {
	v.check("trace", "a request is one trace", "frontend → client → backend → SQL, parents right", func() (string, error) {
		if p.err != nil {
			return "", p.err
		}
		v.awaitPath(ctx, p)
		if p.wayErr != nil {
			return describe(p.spans), p.wayErr
		}
		return fmt.Sprintf("%d spans, %s → %s → %s → %s", len(p.spans), p.way.server.Name, p.way.client.Name, p.way.backend.Name, p.way.sql.Name), nil
	})
	v.check("trace", "spans follow the conventions", "route, status, SQL statement without values", func() (string, error) {
		switch {
		case p.err != nil:
			return "", p.err
		case p.wayErr != nil:
			return "", fmt.Errorf("the request is not one whole trace: %w", p.wayErr)
		}
		return p.way.sql.Attributes["db.query.text"], conventions(p.way)
	})
}

// awaitPath waits until the trace has every hop: the services export on their own
// schedules, so a trace arrives in parts.
func (v *verifier) awaitPath(ctx context.Context, p *probe) {
	p.wayErr = v.poll(ctx, v.timing.trace, func(ctx context.Context) error {
		spans, err := v.tempo.Trace(ctx, p.traceID)
		if err != nil {
			return err
		}
		p.spans = spans
		p.way, err = follow(spans, p.parentID)
		return err
	})
}

// follow finds the way from the span that began the trace to the SQL statement,
// in the trace of one request that reached the backend.
func follow(spans []query.Span, root string) (way path, err error) {
	for _, service := range []string{"frontend", "backend"} {
		if n := len(serverSpans(spans, service)); n != 1 {
			return way, fmt.Errorf("%d server spans of the %s in the trace, not 1", n, service)
		}
	}
	way.server, way.backend = serverSpans(spans, "frontend")[0], serverSpans(spans, "backend")[0]
	if way.server.ParentID != root {
		return way, fmt.Errorf("the frontend's server span has the parent %q, not the request's %q", way.server.ParentID, root)
	}
	i := slices.IndexFunc(spans, func(s query.Span) bool { return s.ID == way.backend.ParentID })
	if i < 0 {
		return way, fmt.Errorf("the backend's server span has the parent %q, which is not in the trace", way.backend.ParentID)
	}
	way.client = spans[i]
	if way.client.Service != "frontend" || way.client.Kind != query.Client {
		return way, fmt.Errorf("the backend's server span is below %s, not below the frontend's client span", title(way.client))
	}
	if !isBelow(spans, way.client, way.server.ID) {
		return way, fmt.Errorf("%s is not below the frontend's server span: its parent is %q", title(way.client), way.client.ParentID)
	}
	err = errors.New("no SQL span in the trace")
	for _, s := range spans {
		if !isSQL(s) {
			continue
		}
		if s.Service == "backend" && s.Kind == query.Client && isBelow(spans, s, way.backend.ID) {
			way.sql = s
			return way, nil
		}
		err = fmt.Errorf("%s is not a client span below the backend's server span: its parent is %q", title(s), s.ParentID)
	}
	return way, err
}

// serverSpans are the spans of requests that the service has answered.
func serverSpans(spans []query.Span, service string) (found []query.Span) {
	for _, s := range spans {
		if s.Service == service && s.Kind == query.Server {
			found = append(found, s)
		}
	}
	return found
}

func isSQL(s query.Span) bool { return s.Attributes["db.system.name"] != "" }

// title names a span in a message.
func title(s query.Span) string {
	return fmt.Sprintf("the %s span %q of the %s", s.Kind, s.Name, s.Service)
}

// isBelow tells whether the span is a descendant of the one with that id; internal
// spans may be between.
func isBelow(spans []query.Span, s query.Span, ancestor string) bool {
	for range len(spans) + 1 { // a bound, should ids make a circle
		if s.ParentID == ancestor {
			return true
		}
		i := slices.IndexFunc(spans, func(p query.Span) bool { return p.ID == s.ParentID })
		if i < 0 || spans[i].Kind != query.Internal {
			return false
		}
		s = spans[i]
	}
	return false
}

// literal is a value in a SQL statement: a string or a number. No name in the lab's
// statements has a digit in it.
var literal = regexp.MustCompile(`'[^']*'|\b\d+\b`)

// conventions checks the names and attributes that dashboards and links rely on.
func conventions(way path) error {
	var errs []error
	wrong := func(s query.Span, what, got, want string) {
		if got != want {
			errs = append(errs, fmt.Errorf("%s: %s is %q, not %q", title(s), what, got, want))
		}
	}
	system, database := "sqlite", "users"
	if way.sql.Attributes["server.address"] != "" { // SQLite is a file; a server's database has any name
		system, database = "postgresql", cmp.Or(way.sql.Attributes["db.namespace"], "the name of the database")
	}
	for _, hop := range []struct {
		span  query.Span
		name  string
		attrs [][2]string
	}{
		{way.server, "GET /api/users/{id}", [][2]string{
			{"http.route", "/api/users/{id}"}, {"http.request.method", http.MethodGet}, {"http.response.status_code", "200"}}},
		{way.backend, "GET /users/{id}", [][2]string{
			{"http.route", "/users/{id}"}, {"http.request.method", http.MethodGet}, {"http.response.status_code", "200"}}},
		{way.sql, "SELECT users", [][2]string{
			{"db.system.name", system}, {"db.namespace", database}, {"db.operation.name", "SELECT"}, {"db.collection.name", "users"}}},
	} {
		wrong(hop.span, "its name", hop.span.Name, hop.name)
		for _, a := range hop.attrs {
			wrong(hop.span, a[0], hop.span.Attributes[a[0]], a[1])
		}
	}
	statement := way.sql.Attributes["db.query.text"]
	if !strings.Contains(statement, "?") {
		errs = append(errs, fmt.Errorf("the SQL span's statement %q has no placeholder", statement))
	}
	if value := literal.FindString(statement); value != "" {
		errs = append(errs, fmt.Errorf("the SQL span's statement %q has the value %s in it", statement, value))
	}
	return errors.Join(errs...)
}

// describe lists a trace's spans for a message.
func describe(spans []query.Span) string {
	var names []string
	for _, s := range spans {
		names = append(names, fmt.Sprintf("%s/%s %s", s.Service, s.Kind, s.Name))
	}
	if len(names) == 0 {
		return "no spans"
	}
	return strings.Join(names, ", ")
}

// correlatedLogs checks that each service's access-log line is found by the
// trace's id, carries its span's id and the labels that people filter by.
func (v *verifier) correlatedLogs(ctx context.Context, p *probe) {
	for _, service := range []string{"frontend", "backend"} {
		v.check("logs", "the "+service+"'s line of that trace", "1 access-log line with the span's id, job and level", func() (string, error) {
			if p.err != nil {
				return "", p.err
			}
			server := serverSpans(p.spans, service)
			if len(server) == 0 {
				return "", fmt.Errorf("the trace has no server span of the %s that the line could belong to", service)
			}
			return v.accessLine(ctx, p, service, server[0].ID)
		})
	}
}

func (v *verifier) accessLine(ctx context.Context, p *probe, service, spanID string) (string, error) {
	var lines []query.Line
	err := v.poll(ctx, v.timing.line, func(ctx context.Context) (err error) {
		lines, err = v.loki.Lines(ctx, `{service_name="`+service+`"} |~ "^request$" | trace_id="`+p.traceID+`"`,
			p.sent.Add(-time.Minute), time.Now(), 10)
		if err == nil && len(lines) == 0 {
			err = fmt.Errorf("Loki has no access-log line of the %s with the trace_id %s", service, p.traceID)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	labels := lines[0].Labels
	measured := fmt.Sprintf("%d, level=%s, status %s", len(lines), labels["level"], labels["http_response_status_code"])
	var errs []error
	if len(lines) != 1 {
		errs = append(errs, fmt.Errorf("%d access-log lines of one request", len(lines)))
	}
	for _, want := range [][2]string{
		{"span_id", spanID}, {"job", service}, {"level", "info"}, {"http_response_status_code", "200"},
	} {
		if got := labels[want[0]]; got != want[1] {
			errs = append(errs, fmt.Errorf("%s of the line is %q, not %q", want[0], got, want[1]))
		}
	}
	return measured, errors.Join(errs...)
}
