package endpoints

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Media types of answers.
const (
	typeJSON    = "application/json"
	typeProblem = "application/problem+json"
	typeHTML    = "text/html"
	// noBody wants an answer without content and without a content type.
	noBody = "no body"
)

// Want describes the right answer.
type Want struct {
	// Status is the one right status.
	Status int
	// Type is the media type; empty leaves it open.
	Type string
	// Header has, for each header that must be there, a regular expression that
	// its whole value must match; {name} is a variable.
	Header map[string]string
	// Allow lists methods that the Allow header must name.
	Allow []string
	// Fields are the fields that the errors of a problem must name, no others.
	Fields []string
	// Body are predicates that the content must fulfil.
	Body []Predicate
	// NoIDs leaves out the X-Request-Id and X-Trace-Id, for a case that looks at
	// them itself.
	NoIDs bool
	// Probe says that the path makes no telemetry, so there is no X-Trace-Id.
	Probe bool
}

// Predicate says what is wrong with an answer, nil if nothing is.
type Predicate func(a *answer, vars map[string]string) error

// String says in one line what is wanted.
func (w Want) String() string {
	if w.Status == 0 {
		return ""
	}
	var out strings.Builder
	out.WriteString(strconv.Itoa(w.Status))
	if w.Type != "" {
		out.WriteString(" " + w.Type)
	}
	if len(w.Allow) > 0 {
		out.WriteString(", Allow: " + strings.Join(w.Allow, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(w.Header)) {
		out.WriteString(", " + name)
	}
	if len(w.Fields) > 0 {
		out.WriteString(", errors: " + strings.Join(w.Fields, ", "))
	}
	return out.String()
}

// compare returns every difference between an answer and the right one.
func (s *session) compare(a *answer, c Case) error {
	w := c.Want
	if a.status != w.Status {
		return fmt.Errorf("status %d, want %d", a.status, w.Status) // the rest would follow from it
	}
	var wrong []error
	add := func(err error) { wrong = append(wrong, err) }
	switch {
	case w.Type == noBody && (len(a.body) > 0 || a.mediaType() != ""):
		add(fmt.Errorf("a body of %d bytes and content type %q, want neither", len(a.body), a.mediaType()))
	case w.Type != "" && w.Type != noBody && a.mediaType() != w.Type:
		add(fmt.Errorf("content type %q, want %q", a.header.Get("Content-Type"), w.Type))
	}
	if (w.Type == typeJSON || w.Type == typeProblem) && a.docErr != nil {
		add(fmt.Errorf("the body is not JSON: %w", a.docErr))
	}
	for _, name := range slices.Sorted(maps.Keys(w.Header)) {
		add(s.compareHeader(a, name, w.Header[name]))
	}
	for _, method := range w.Allow {
		if !slices.Contains(methodsOf(a.header), method) {
			add(fmt.Errorf("header Allow is %q, want %s in it", a.header.Get("Allow"), method))
		}
	}
	if !w.NoIDs {
		add(s.compareIDs(a, w.Probe))
	}
	if w.Type == typeProblem && a.docErr == nil {
		add(isProblem(a, w.Fields))
	}
	for _, holds := range w.Body {
		add(holds(a, s.vars))
	}
	return errors.Join(wrong...)
}

func (s *session) compareHeader(a *answer, name, pattern string) error {
	for variable, value := range s.vars {
		pattern = strings.ReplaceAll(pattern, "{"+variable+"}", regexp.QuoteMeta(value))
	}
	// {answer.id} is a member of this very answer.
	pattern = strings.ReplaceAll(pattern, "{answer.id}", regexp.QuoteMeta(text(a.member("id"))))
	values := a.header.Values(name)
	if len(values) != 1 {
		return fmt.Errorf("header %s is there %d times, want once", name, len(values))
	}
	if !regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(values[0]) {
		return fmt.Errorf("header %s is %q, want it to match %q", name, values[0], pattern)
	}
	return nil
}

var (
	requestIDShape = regexp.MustCompile(`^[\w-]{1,64}$`)
	traceIDShape   = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// compareIDs wants the request's id echoed, and the id of the trace that the
// request belongs to.
func (s *session) compareIDs(a *answer, probe bool) error {
	var wrong []error
	if got := a.header.Values("X-Request-Id"); !slices.Equal(got, []string{a.requestID}) {
		wrong = append(wrong, fmt.Errorf("header X-Request-Id is %q, want the request's own %q", got, a.requestID))
	}
	if got := a.header.Values("X-Trace-Id"); !probe && !s.withoutTraces && !slices.Equal(got, []string{a.traceID}) {
		wrong = append(wrong, fmt.Errorf("header X-Trace-Id is %q, want the request's own trace %q", got, a.traceID))
	}
	return errors.Join(wrong...)
}

func methodsOf(h http.Header) []string {
	var out []string
	for _, value := range h.Values("Allow") {
		for method := range strings.SplitSeq(value, ",") {
			out = append(out, strings.TrimSpace(method))
		}
	}
	return out
}

// isProblem wants the members of RFC 9457, and the ids of this very request.
func isProblem(a *answer, fields []string) error {
	var wrong []error
	for _, name := range []string{"type", "title", "instance"} {
		if text(a.member(name)) == "" {
			wrong = append(wrong, fmt.Errorf("the problem has no %s", name))
		}
	}
	if got, want := text(a.member("status")), strconv.Itoa(a.status); got != want {
		wrong = append(wrong, fmt.Errorf("the problem's status is %q, want %s", got, want))
	}
	for member, header := range map[string]string{"request_id": "X-Request-Id", "trace_id": "X-Trace-Id"} {
		if got, want := text(a.member(member)), a.header.Get(header); got != want {
			wrong = append(wrong, fmt.Errorf("the problem's %s is %q, the header %s is %q", member, got, header, want))
		}
	}
	var named []string
	list, _ := a.member("errors").([]any)
	for _, e := range list {
		object, _ := e.(map[string]any)
		named = append(named, text(object["field"]))
		if text(object["detail"]) == "" {
			wrong = append(wrong, fmt.Errorf("an error of the problem has no detail"))
		}
	}
	slices.Sort(named)
	if !slices.Equal(slices.Compact(named), fields) {
		wrong = append(wrong, fmt.Errorf("the problem's errors name the fields %q, want %q", named, fields))
	}
	return errors.Join(wrong...)
}

// members wants an object with these members, each of a JSON kind: "string",
// "number", "time" (RFC 3339) or "list".
func members(kinds map[string]string) Predicate {
	return func(a *answer, _ map[string]string) error { return hasMembers(a.doc, kinds) }
}

func hasMembers(doc any, kinds map[string]string) error {
	object, ok := doc.(map[string]any)
	if !ok {
		return fmt.Errorf("the body is not a JSON object")
	}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if !isKind(object[name], kinds[name]) {
			wrong = append(wrong, fmt.Errorf("member %s is %v, want a %s", name, object[name], kinds[name]))
		}
	}
	return errors.Join(wrong...)
}

func isKind(v any, kind string) bool {
	switch kind {
	case "string":
		s, ok := v.(string)
		return ok && s != ""
	case "number":
		_, ok := v.(json.Number)
		return ok
	case "list":
		_, ok := v.([]any)
		return ok
	case "time":
		_, err := time.Parse(time.RFC3339, text(v))
		return err == nil
	}
	return false
}

// has wants a string or number member to be just so; {name} is a variable.
func has(member, want string) Predicate {
	return func(a *answer, vars map[string]string) error {
		value := want
		for name, v := range vars {
			value = strings.ReplaceAll(value, "{"+name+"}", v)
		}
		if got := text(a.member(member)); got != value {
			return fmt.Errorf("member %s is %q, want %q", member, got, value)
		}
		return nil
	}
}

// contains wants a text in the body.
func contains(part string) Predicate {
	return func(a *answer, _ map[string]string) error {
		if !strings.Contains(string(a.body), part) {
			return fmt.Errorf("the body does not hold %q", part)
		}
		return nil
	}
}

// userMembers are those of a user.
var userMembers = map[string]string{"id": "number", "name": "string", "email": "string", "created_at": "time"}

// listOfUsers wants an object with users, at most so many of them.
func listOfUsers(most int) Predicate {
	return func(a *answer, _ map[string]string) error {
		list, ok := a.member("users").([]any)
		if !ok {
			return fmt.Errorf("member users is %v, want a list", a.member("users"))
		}
		if len(list) > most {
			return fmt.Errorf("%d users, want %d at most", len(list), most)
		}
		for i, u := range list {
			if err := hasMembers(u, userMembers); err != nil {
				return fmt.Errorf("user %d of the list: %w", i+1, err)
			}
		}
		return nil
	}
}

// ownRequestID fails unless the service made the request's id: it must not take the
// one that was sent.
func ownRequestID(a *answer, _ map[string]string) error {
	got := a.header.Get("X-Request-Id")
	if got == a.requestID || !requestIDShape.MatchString(got) {
		return fmt.Errorf("header X-Request-Id is %q, want one that the service made", got)
	}
	return nil
}

// freshTrace fails unless the answer has the id of a trace that the service began.
// Without tracing the answer need not have one.
func freshTrace(a *answer, vars map[string]string) error {
	if got := a.header.Get("X-Trace-Id"); vars["traces"] != "off" && !traceIDShape.MatchString(got) {
		return fmt.Errorf("header X-Trace-Id is %q, want 32 hex digits", got)
	}
	return nil
}
