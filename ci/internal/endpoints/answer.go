package endpoints

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceparent"
)

// maxAnswer bounds what is read of an answer: a page of 200 users is some 30 KB.
const maxAnswer = 1 << 20

// answer is a response with its body, and what the request had said.
type answer struct {
	path      string
	requestID string // sent; "" when none was
	traceID   string // sent; "" when none was
	status    int
	header    http.Header
	body      []byte
	doc       any // the body as JSON; nil if the body is not JSON
	docErr    error
}

// do makes a request. It carries a request id and a sampled trace id of its own,
// unless header has those names; an empty value there leaves the header out.
func (s *session) do(ctx context.Context, method, path, body string, header map[string]string) (*answer, error) {
	s.requests++
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, reader)
	if err != nil {
		return nil, err
	}
	traceID := traceparent.NewTraceID()
	req.Header.Set("User-Agent", "lgtm-lab-endpoints")
	req.Header.Set("X-Request-Id", fmt.Sprintf("endpoints-%s-%d", s.run, s.requests))
	req.Header.Set("Traceparent", traceparent.Header(traceID, traceparent.ClientSpanID(traceID)))
	for name, value := range header {
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	if req.Header.Get("Traceparent") == "" {
		traceID = ""
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	a := &answer{path: req.URL.Path, requestID: req.Header.Get("X-Request-Id"), traceID: traceID, status: resp.StatusCode, header: resp.Header}
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(a.body)))
	dec.UseNumber()
	if a.docErr = dec.Decode(&a.doc); a.docErr == nil {
		if _, err := dec.Token(); err != io.EOF {
			a.docErr = fmt.Errorf("there is more after the JSON document")
		}
	}
	return a, nil
}

// mediaType is the content type without its parameters.
func (a *answer) mediaType() string {
	media, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return a.header.Get("Content-Type")
	}
	return media
}

// String is what was measured, in one line.
func (a *answer) String() string {
	if a.mediaType() == "" {
		return strconv.Itoa(a.status)
	}
	return strconv.Itoa(a.status) + " " + a.mediaType()
}

// dump is the answer for a person to look at, not longer than a screen.
func (a *answer) dump() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the answer: %d %s\n", a.status, http.StatusText(a.status))
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		fmt.Fprintf(&b, "  %s: %s\n", name, strings.Join(a.header[name], ", "))
	}
	const most = 600
	body := a.body
	if len(body) > most {
		body = append(slices.Clone(body[:most]), " ..."...)
	}
	if len(body) > 0 {
		fmt.Fprintf(&b, "  %s\n", strings.TrimSpace(report.Clean(string(body))))
	}
	return b.String()
}

// member is a member of the JSON object, nil if the object lacks it.
func (a *answer) member(name string) any {
	object, _ := a.doc.(map[string]any)
	return object[name]
}

// text is a JSON string or number as text, "" for anything else.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}
