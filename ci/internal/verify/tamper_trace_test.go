package verify

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints/labtest"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// ofSpans changes the spans of the requests from one sender.
func ofSpans(from string, change func(x exchange, spans []query.Span) []query.Span) func(*fake) {
	return func(f *fake) {
		f.spans = func(x exchange, spans []query.Span) []query.Span {
			if x.from == from {
				return change(x, spans)
			}
			return spans
		}
	}
}

// ofSpan changes one span of the probe.
func ofSpan(is func(query.Span) bool, change func(s *query.Span, all []query.Span)) func(*fake) {
	return ofSpans("probe", func(_ exchange, spans []query.Span) []query.Span {
		for i := range spans {
			if is(spans[i]) {
				change(&spans[i], spans)
			}
		}
		return spans
	})
}

// without leaves spans of the probe out.
func without(is func(query.Span) bool) func(*fake) {
	return ofSpans("probe", func(_ exchange, spans []query.Span) []query.Span { return slices.DeleteFunc(spans, is) })
}

func hop(service string, kind query.Kind) func(query.Span) bool {
	return func(s query.Span) bool { return s.Service == service && s.Kind == kind }
}

func attribute(key, value string) func(*query.Span, []query.Span) {
	return func(s *query.Span, _ []query.Span) {
		if s.Attributes[key] = value; value == "" {
			delete(s.Attributes, key)
		}
	}
}

func traceTamperings() []tampering {
	frontend, backend, client := hop("frontend", query.Server), hop("backend", query.Server), hop("frontend", query.Client)
	const nowhere = "0102030405060708"
	orphan := func(s *query.Span, _ []query.Span) { s.ParentID = nowhere }
	return []tampering{
		{name: "no span of the frontend", do: without(frontend), fails: []string{joined, conventing, frontLine}, says: "0 server spans of the frontend"},
		{name: "no span of the backend", do: without(backend), fails: []string{joined, conventing, backLine}, says: "0 server spans of the backend"},
		{name: "no client span", do: without(client), fails: []string{joined, conventing}, says: "which is not in the trace"},
		{name: "no SQL span", do: without(isSQL), fails: []string{joined, conventing}, says: "no SQL span"},
		{name: "the frontend ignores the caller's trace parent", do: ofSpan(frontend, orphan), fails: []string{joined, conventing},
			says: `the frontend's server span has the parent "0102030405060708", not the request's`},
		{name: "the backend's span is below nothing", do: ofSpan(backend, orphan), fails: []string{joined, conventing}, says: `parent "0102030405060708", which is not in the trace`},
		{name: "the backend's span is below the frontend's own", do: ofSpan(backend, func(s *query.Span, all []query.Span) { s.ParentID = all[0].ID }),
			fails: []string{joined, conventing}, says: `below the server span "GET /api/users/{id}" of the frontend, not below the frontend's client span`},
		{name: "the client span is below nothing", do: ofSpan(client, orphan), fails: []string{joined, conventing}, says: "is not below the frontend's server span"},
		{name: "the SQL span is below the frontend's", do: ofSpan(isSQL, func(s *query.Span, all []query.Span) { s.ParentID = all[0].ID }),
			fails: []string{joined, conventing}, says: "not a client span below the backend's server span"},
		{name: "the backend's span twice", do: ofSpans("probe", func(_ exchange, spans []query.Span) []query.Span {
			return append(spans, spans[slices.IndexFunc(spans, backend)])
		}), fails: []string{joined, conventing}, says: "2 server spans of the backend"},
		{name: "a trace that is not stored", do: ofSpans("probe", func(exchange, []query.Span) []query.Span { return nil }),
			fails: names([]string{joined, conventing, frontLine, backLine, freshTrace, freshSearch, logToTrace}, exemplarChecks), says: "not found"},

		{name: "no http.route of the frontend", do: ofSpan(frontend, attribute("http.route", "")), fails: []string{conventing}, says: `http.route is "", not "/api/users/{id}"`},
		{name: "no http.route of the backend", do: ofSpan(backend, attribute("http.route", "")), fails: []string{conventing}, says: `http.route is "", not "/users/{id}"`},
		{name: "no method", do: ofSpan(backend, attribute("http.request.method", "")), fails: []string{conventing}, says: "http.request.method"},
		{name: "no status", do: ofSpan(frontend, attribute("http.response.status_code", "")), fails: []string{conventing}, says: "http.response.status_code"},
		{name: "a span named after the path", do: ofSpan(frontend, func(s *query.Span, _ []query.Span) { s.Name = "GET /api/users/1" }), fails: []string{conventing}, says: "its name"},
		{name: "no database", do: ofSpan(isSQL, attribute("db.namespace", "")), fails: []string{conventing}, says: "db.namespace"},
		{name: "no table", do: ofSpan(isSQL, attribute("db.collection.name", "")), fails: []string{conventing}, says: "db.collection.name"},
		{name: "a number in the statement", do: ofSpan(isSQL, attribute("db.query.text", "SELECT name FROM users WHERE id = 1 LIMIT ?")), fails: []string{conventing}, says: "has the value 1 in it"},
		{name: "an address in the statement", do: ofSpan(isSQL, attribute("db.query.text", "SELECT name FROM users WHERE email IN ('ada@example.com', ?)")), fails: []string{conventing}, says: "has the value 'ada@example.com' in it"},
		{name: "a statement without a placeholder", do: ofSpan(isSQL, attribute("db.query.text", "SELECT name FROM users")), fails: []string{conventing}, says: "no placeholder"},
		{name: "search finds nothing", do: func(f *fake) {
			f.answers = func(part string, w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/api/search") || !strings.Contains(r.FormValue("q"), "trace:id") {
					return false
				}
				writeJSON(w, map[string]any{"traces": []any{}})
				return true
			}
		}, fails: []string{freshSearch}, says: "search does not find the trace"},
		{name: "search finds another trace", do: func(f *fake) {
			f.answers = func(part string, w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/api/search") || !strings.Contains(r.FormValue("q"), "trace:id") {
					return false
				}
				writeJSON(w, map[string]any{"traces": []any{labels{"traceID": "abc"}}})
				return true
			}
		}, fails: []string{freshSearch}, says: "search does not find the trace"},
	}
}

// ofLines changes the lines of one service for the requests from one sender.
func ofLines(from, service string, change func(query.Line) []query.Line) func(*fake) {
	return func(f *fake) {
		f.lines = func(x exchange, lines []query.Line) (out []query.Line) {
			for _, l := range lines {
				if x.from == from && l.Labels["service_name"] == service {
					out = append(out, change(l)...)
				} else {
					out = append(out, l)
				}
			}
			return out
		}
	}
}

func logTamperings() []tampering {
	label := func(key, value string) func(query.Line) []query.Line {
		return func(l query.Line) []query.Line {
			if l.Labels[key] = value; value == "" {
				delete(l.Labels, key)
			}
			return []query.Line{l}
		}
	}
	none := func(query.Line) []query.Line { return nil }
	twice := func(l query.Line) []query.Line { return []query.Line{l, l} }
	return []tampering{
		{name: "no line of the frontend", do: ofLines("probe", "frontend", none), fails: []string{frontLine, freshLine, logToTrace, traceToLogs}, says: "no access-log line of the frontend"},
		{name: "no line of the backend", do: ofLines("probe", "backend", none), fails: []string{backLine, traceToLogs}, says: "no access-log line of the backend"},
		{name: "another line of the frontend only", do: ofLines("probe", "frontend", func(l query.Line) []query.Line {
			l.Text = "user created"
			return []query.Line{l}
		}), fails: []string{frontLine}, says: "no access-log line"},
		{name: "the line twice", do: ofLines("probe", "backend", twice), fails: []string{backLine}, says: "2 access-log lines of one request"},
		{name: "a line without a trace id", do: ofLines("probe", "frontend", label("trace_id", "")), fails: []string{frontLine, freshLine, logToTrace, traceToLogs}, says: "no access-log line"},
		{name: "a line with another span's id", do: ofLines("probe", "backend", label("span_id", "0102030405060708")), fails: []string{backLine}, says: `span_id of the line is "0102030405060708"`},
		{name: "a line without a level", do: ofLines("probe", "frontend", label("level", "")), fails: []string{frontLine}, says: `level of the line is ""`},
		{name: "a line without a job", do: ofLines("probe", "backend", label("job", "")), fails: []string{backLine}, says: `job of the line is ""`},
		{name: "a line without a status", do: ofLines("probe", "backend", label("http_response_status_code", "")), fails: []string{backLine}, says: "http_response_status_code"},
	}
}

func faultTamperings() []tampering {
	mark := func(from string, sql, server bool) func(*fake) {
		return ofSpans(from, func(_ exchange, spans []query.Span) []query.Span {
			for i := range spans {
				spans[i].Failed = isSQL(spans[i]) && sql || spans[i].Kind == query.Server && server
			}
			return spans
		})
	}
	last := func(is func(query.Span) bool, d time.Duration) func(exchange, []query.Span) []query.Span {
		return func(_ exchange, spans []query.Span) []query.Span {
			for i := range spans {
				if is(spans[i]) {
					spans[i].Start = spans[i].End.Add(-d)
				}
			}
			return spans
		}
	}
	status := func(from string, code int) func(*fake) {
		return func(f *fake) {
			f.reply = func(x exchange, a *labtest.Answer) {
				if x.from == from {
					a.Status = code
				}
			}
		}
	}
	return []tampering{
		{name: "a slow query that is quick", do: ofSpans("slow", last(isSQL, time.Millisecond)), fails: []string{slowQuery}, says: "the longest SQL span took 1ms, and the request asked for 20ms"},
		{name: "a slow query in a quick request", do: ofSpans("slow", last(hop("frontend", query.Server), time.Millisecond)), fails: []string{slowQuery}, says: "is shorter than its SQL span"},
		{name: "a slow query that fails", do: status("slow", http.StatusServiceUnavailable), fails: []string{slowQuery}, says: "answered 503, not 200"},
		{name: "a slow query without a trace", do: ofSpans("slow", func(exchange, []query.Span) []query.Span { return nil }), fails: names([]string{slowQuery}, exemplarChecks), says: "not found"},
		{name: "a failing query that succeeds", do: status("failing", http.StatusOK), fails: []string{failQuery}, says: "answered 200, not 500 (was the lab brought up without faults?)"},
		{name: "a failing query that is not marked", do: mark("failing", false, true), fails: []string{failQuery}, says: "no SQL span is marked as an error"},
		{name: "a failing request that is not marked", do: mark("failing", true, false), fails: []string{failQuery}, says: "the request's span is not marked as an error"},
		{name: "nothing that failed is marked", do: mark("failing", false, false), fails: []string{failQuery}, says: "neither"},
		{name: "a lab without faults", do: func(f *fake) { f.NoFaults = true }, fails: []string{slowQuery, failQuery, sending}, says: "took 1ms, and the request asked for 20ms (was the lab brought up without faults?)"},
	}
}

// serviceTamperings break what the services answer.
func serviceTamperings() []tampering {
	reply := func(is func(exchange) bool, change func(*labtest.Answer)) func(*fake) {
		return func(f *fake) {
			f.reply = func(x exchange, a *labtest.Answer) {
				if is(x) {
					change(a)
				}
			}
		}
	}
	from := func(who string) func(exchange) bool { return func(x exchange) bool { return x.from == who } }
	path := func(who, path string) func(exchange) bool {
		return func(x exchange) bool { return x.from == who && strings.HasSuffix(x.path, path) }
	}
	text := func(status int, text string) func(*labtest.Answer) {
		return func(a *labtest.Answer) { a.Status, a.Body = status, []byte(text) }
	}
	return []tampering{
		{name: "the one request fails", do: reply(from("probe"), text(500, "no luck")), fails: probeChecks, says: `GET /api/users/1 answered 500, not 200: "no luck"`},
		{name: "a frontend that trusts no trace context", do: reply(from("probe"), func(a *labtest.Answer) {
			a.Header.Set("X-Trace-Id", "4bf92f3577b34da6a3ce929d0e0e4736")
		}), fails: probeChecks, says: "PUBLIC_ENDPOINT=false"},
		{name: "no users", do: reply(path("other", "/api/users"), text(200, `{"users":[]}`)), fails: probeChecks, says: "not 200 with a user"},
		{name: "statistics fail", do: reply(path("other", "/api/stats"), text(500, "no luck")), fails: []string{userGauge}, says: `GET /api/stats answered 500`},
		{name: "statistics without users", do: reply(path("other", "/api/stats"), text(200, "{}")), fails: []string{userGauge}, says: "not 200 with a number of users"},
		{name: "the traffic is answered wrongly", do: reply(func(x exchange) bool { return x.n == 7 }, text(418, "")), fails: []string{sending}, says: "answered 418"},
		{name: "endpoints answer something else", do: reply(from("endpoints"), text(418, "")), fails: []string{"endpoints: *"}, says: "418"},
		{name: "endpoints without ids", do: reply(from("endpoints"), func(a *labtest.Answer) {
			a.Header.Del("X-Request-Id")
			a.Header.Del("X-Trace-Id")
		}), fails: []string{"endpoints: *"}, says: "X-Request-Id"},
		{name: "probes without ids", do: func(f *fake) {
			f.Tamper = func(service string, r *http.Request, a *labtest.Answer) {
				if f.record(service, r, a); strings.HasPrefix(r.URL.Path, "/health") || strings.HasPrefix(r.URL.Path, "/ready") {
					a.Header.Del("X-Request-Id")
				}
			}
		}, fails: []string{"endpoints: *"}, says: "X-Request-Id"},
		{name: "statistics that miscount", do: reply(path("endpoints", "/stats"), text(200, `{"users":1000}`)), fails: []string{"endpoints: *"}, says: "the statistics say 1000"},
		{name: "a page that refers to nothing", do: reply(path("endpoints", "/"), text(200, `<link href="/nowhere.css">`)), fails: []string{"endpoints: *"}, says: "/nowhere.css"},
		{name: "forms that do nothing", do: reply(path("endpoints", "/ui/users"), text(200, "")), fails: []string{"endpoints: *"}, says: "want 303"},
	}
}
