package verify

import (
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// request changes the spans of some requests of the traffic.
func request(change func(n int, spans []query.Span) []query.Span) func(*fake) {
	return ofSpans("traffic", func(x exchange, spans []query.Span) []query.Span { return change(x.n, spans) })
}

// numbered changes the lines of one service for the traffic, by number.
func numbered(service string, times func(n int) int) func(*fake) {
	return func(f *fake) {
		f.lines = func(x exchange, lines []query.Line) (out []query.Line) {
			for _, l := range lines {
				count := 1
				if x.from == "traffic" && l.Labels["service_name"] == service && l.Text == "request" {
					count = times(x.n)
				}
				out = append(out, slices.Repeat([]query.Line{l}, count)...)
			}
			return out
		}
	}
}

// audited changes how often the first of the traffic's changed users is in the audit log.
func audited(times int) func(*fake) {
	return func(f *fake) {
		done := false
		f.lines = func(x exchange, lines []query.Line) (out []query.Line) {
			for _, l := range lines {
				count := 1
				if x.from == "traffic" && l.Text != "request" && !done {
					count, done = times, true
				}
				out = append(out, slices.Repeat([]query.Line{l}, count)...)
			}
			return out
		}
	}
}

// counting changes by what a service's request counter rises for the traffic.
func counting(service string, by func(n int) float64) func(*fake) {
	return func(f *fake) {
		f.samples = func(x exchange, l labels, one float64) float64 {
			if x.from == "traffic" && l["__name__"] == "http_server_request_duration_seconds_count" && l["service_name"] == service {
				return by(x.n)
			}
			return one
		}
	}
}

func completenessTamperings() []tampering {
	backend, client := hop("backend", query.Server), hop("frontend", query.Client)
	for7 := func(then, other int) func(int) int {
		return func(n int) int {
			if n == 7 {
				return then
			}
			return other
		}
	}
	count7 := func(then float64) func(int) float64 {
		return func(n int) float64 { return float64(for7(int(then), 1)(n)) }
	}
	return []tampering{
		{name: "one trace is missing", do: request(func(n int, spans []query.Span) []query.Span {
			if n == 7 {
				return nil
			}
			return spans
		}), fails: names([]string{stored}, exemplarChecks), says: "1 traces are not stored, for example "},
		{name: "one trace without its backend", do: request(func(n int, spans []query.Span) []query.Span {
			if n == 7 {
				return slices.DeleteFunc(spans, backend)
			}
			return spans
		}), fails: []string{stored}, says: "the backend has answered 28 requests, and 27 spans of it are stored"},
		{name: "one trace with its backend twice", do: request(func(n int, spans []query.Span) []query.Span {
			if n == 7 {
				return append(spans, spans[slices.IndexFunc(spans, backend)])
			}
			return spans
		}), fails: []string{stored}, says: "2 server spans of the backend"},
		{name: "one trace without its backend, another with two", do: request(func(n int, spans []query.Span) []query.Span {
			switch n {
			case 7:
				return slices.DeleteFunc(spans, backend)
			case 8:
				return append(spans, spans[slices.IndexFunc(spans, backend)])
			}
			return spans
		}), fails: []string{stored}, says: "1 traces are not whole"},
		{name: "one trace in two parts", do: request(func(n int, spans []query.Span) []query.Span {
			if n == 7 {
				return slices.DeleteFunc(spans, client)
			}
			return spans
		}), fails: []string{stored}, says: "which is not in the trace"},
		{name: "one trace without its statement", do: request(func(n int, spans []query.Span) []query.Span {
			if n == 7 {
				return slices.DeleteFunc(spans, isSQL)
			}
			return spans
		}), fails: []string{stored}, says: "no SQL span"},
		{name: "one trace without the frontend", do: request(func(n int, spans []query.Span) []query.Span {
			if n == 7 {
				return slices.DeleteFunc(spans, hop("frontend", query.Server))
			}
			return spans
		}), fails: []string{stored}, says: "0 server spans of the frontend"},

		{name: "one line too few of the frontend", do: numbered("frontend", for7(0, 1)), fails: []string{frontLines}, says: "1 requests have no line"},
		{name: "one line too many of the frontend", do: numbered("frontend", for7(2, 1)), fails: []string{frontLines}, says: "1 requests have more than one line"},
		{name: "one line too few and one too many", do: numbered("frontend", func(n int) int { return for7(0, for7(2, 1)(n-1))(n) }),
			fails: []string{frontLines}, says: "1 requests have no line"},
		{name: "one line too few of the backend", do: numbered("backend", for7(0, 1)), fails: []string{backLines}, says: "27 access-log lines of the backend for 28 requests"},
		{name: "one line too many of the backend", do: numbered("backend", for7(2, 1)), fails: []string{backLines}, says: "more than one line"},
		{name: "a changed user that is not in the audit log", do: audited(0), fails: []string{auditTrail}, says: "audit-log lines of changed users for"},
		{name: "a changed user twice in the audit log", do: audited(2), fails: []string{auditTrail}, says: "1 requests have more than one line"},
		{name: "a line that comes again later", do: func(f *fake) {
			f.lines = func(x exchange, lines []query.Line) []query.Line {
				if x.n == smallest.Requests {
					time.AfterFunc(quick(0).export/2, func() {
						f.mu.Lock()
						defer f.mu.Unlock()
						f.logs = append(f.logs, lines[0])
					})
				}
				return lines
			}
		}, fails: []string{frontLines}, says: "more than one line"},
		{name: "no lines at all", do: numbered("frontend", func(int) int { return 0 }), fails: []string{frontLines}, says: "0 access-log lines of the frontend for 28 requests"},

		{name: "the frontend counts one too few", do: counting("frontend", count7(0)), fails: []string{frontCount}, says: "was the frontend started again meanwhile?"},
		{name: "the frontend counts one too many", do: counting("frontend", count7(2)), fails: []string{frontCount}, says: "does somebody else send requests to the lab?"},
		{name: "the backend counts one too few", do: counting("backend", count7(0)), fails: []string{backCount}, says: "was the backend started again meanwhile?"},
		{name: "the backend counts one too many", do: counting("backend", count7(2)), fails: []string{backCount}, says: "does somebody else send requests to the lab?"},
		{name: "the backend's counter begins anew", do: func(f *fake) {
			l := labels{"__name__": "http_server_request_duration_seconds_count", "service_name": "backend"}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.set(l, 500, time.Minute)
			f.seen = func(x exchange) {
				if x.n == 7 {
					f.mu.Lock()
					defer f.mu.Unlock()
					f.set(l, 0, 0)
				}
			}
		}, fails: []string{backCount}, says: "the backend was started again, and counts from 0"},
		{name: "the frontend's requests are counted again later", do: func(f *fake) {
			f.seen = func(x exchange) {
				if x.n == smallest.Requests {
					time.AfterFunc(quick(0).export/2, func() {
						f.mu.Lock()
						defer f.mu.Unlock()
						f.add(labels{"__name__": "http_server_request_duration_seconds_count", "service_name": "frontend", "instance": "again"}, 40)
					})
				}
			}
		}, fails: []string{frontCount}, says: "does somebody else send requests to the lab?"},
		{name: "an earlier run of nothing", do: func(*fake) {}, earlier: true, fails: []string{earlierOne}, says: "names no requests"},
	}
}
