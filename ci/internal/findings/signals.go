package findings

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
)

// advice by what a sensitive value looks like.
var sensitiveAdvice = map[string]string{
	"sql_value": "Use placeholders in statements and hand the values over apart, or turn on the instrumentation's sanitizing of db.query.text.",
	"email":     "Record an id of the person instead, or a keyed hash of the address.",
}

func sensitive(s facts.Service) []Finding {
	var list []Finding
	for _, v := range s.Sensitive {
		advice := sensitiveAdvice[v.Kind]
		if advice == "" {
			advice = "Take the value out where it is recorded: do not capture this header, query or body, or mask it in a span processor or a log handler. Then change the secret: it has been stored."
		}
		list = append(list, Finding{
			Kind: SensitiveData, Title: fmt.Sprintf("%s holds what looks like %s", v.Where, names[v.Kind]), Evidence: []string{v.Example},
			Advice: advice, Count: v.Count, TraceID: v.TraceID,
		})
	}
	return list
}

// names of the kinds of sensitive values.
var names = map[string]string{
	"token": "a token", "email": "an e-mail address", "card_number": "the number of a payment card", "url_credentials": "the credentials in a URL",
	"private_key": "a private key", "sql_value": "a value in SQL", "password": "a password",
}

// tallies are the findings that the facts counted already.
func tallies(s facts.Service) []Finding {
	var list []Finding
	for _, t := range []struct {
		kind   Kind
		tally  facts.Tally
		title  string
		advice string
	}{
		{MissingRoute, s.Spans.WithoutRoute, "%d of %d SERVER spans of HTTP have no http.route",
			"Use the instrumentation of the framework or the router, and not of the HTTP server alone; or set http.route where the route is known. Without it requests cannot be grouped by endpoint."},
		{MissingErrorType, s.Spans.WithoutErrorType, "%d of %d failed spans do not say what failed",
			"Set error.type on a span with status Error: the error's class, or the status code. RecordException (an event exception) is as good."},
		{LogWithoutTrace, s.Logs.WithoutTrace, "%d of %d log records were written within a request and carry no trace id",
			"Log with the request's context (in Go slog.InfoContext), and use the logging library's OpenTelemetry handler; in Java and Python turn the log correlation on."},
		{ClockSkew, s.Spans.Skewed, "%d of %d spans begin before their parent in another process",
			"Let the two machines take their time from the same source (NTP, chrony). In a browser compute times from performance.timeOrigin."},
		{DroppedBySDK, s.Spans.Dropped, "%d of %d spans say that the SDK dropped attributes, events or links",
			"Record less on one span, or raise the limits: OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, OTEL_SPAN_EVENT_COUNT_LIMIT, OTEL_SPAN_LINK_COUNT_LIMIT."},
		{DroppedBySDK, s.Logs.Dropped, "%d of %d log records say that the SDK dropped attributes",
			"Record fewer attributes on one record, or raise OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT."},
	} {
		if t.tally.Hits == 0 {
			continue
		}
		f := Finding{Kind: t.kind, Title: fmt.Sprintf(t.title, t.tally.Hits, t.tally.Seen), Evidence: []string{}, Advice: t.advice, Count: t.tally.Hits}
		for _, e := range t.tally.Examples {
			f.Evidence = append(f.Evidence, example(e))
			if f.TraceID == "" {
				f.TraceID = e.TraceID
			}
		}
		list = append(list, f)
	}
	return list
}

func example(e facts.Example) string {
	return strings.Trim(e.Name+": "+e.Detail, ": ")
}

// ids are forms of ids in a span's name: what they match is not the same in two requests.
var ids = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), // UUID, RFC 9562
	regexp.MustCompile(`(?i)\b(?:[a-f]+[0-9]|[0-9]+[a-f])[0-9a-f]{10,}\b`),                     // a hash or an object id
	regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{10}[0-9A-HJKMNP-TV-Z]{16}\b`),                     // ULID
	regexp.MustCompile(`(?:/|=|=\s|#|:)([0-9]+)(?:$|[/?#&\s,;)])`),                             // /users/42, id = 42
	regexp.MustCompile(`\b[0-9]{5,}\b`),
	regexp.MustCompile(`[\w.+-]+@[\w-]+\.\w+`),
}

func operations(s facts.Service) []Finding {
	f := Finding{Kind: IDInSpanName, Evidence: []string{},
		Advice: "Name the span by the route or the operation, GET /users/{id}, and put the id into an attribute. Names with ids cannot be grouped, and each becomes a series of span metrics."}
	found := 0
	for _, o := range s.Spans.Operations {
		id := idIn(o.Name)
		if id == "" {
			continue
		}
		found++
		f.Count += o.Count
		if len(f.Evidence) < facts.MaxExamples {
			f.Evidence = append(f.Evidence, fmt.Sprintf("%.120s (%s)", o.Name, id))
		}
		if f.TraceID == "" {
			f.TraceID = o.TraceID
		}
	}
	if found == 0 {
		return nil
	}
	f.Title = fmt.Sprintf("%d span names hold an id, of %d names", found, s.Spans.Names)
	return []Finding{f}
}

// idIn returns the id in a span's name; "" if there is none.
func idIn(name string) string {
	for _, form := range ids {
		if m := form.FindStringSubmatch(name); m != nil {
			return m[len(m)-1]
		}
	}
	return ""
}
