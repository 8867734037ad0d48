package check

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// freshFor is how long an answer about a trace is used again: several expectations of a
	// case look at the same traces, and new spans may come at any time.
	freshFor = 2 * time.Second
	// stableFor is how long an answer is used again that is as long as one of freshFor ago:
	// the trace has all its spans.
	stableFor = 30 * time.Second
)

// CacheTraces returns a transport that asks Tempo for each trace once in a while, though
// several expectations look at it. An answer other than 200 is not kept.
func CacheTraces(base http.RoundTripper) http.RoundTripper {
	return &traceCache{base: base, kept: map[string]keptAnswer{}}
}

type traceCache struct {
	base    http.RoundTripper
	asking  singleflight.Group
	mu      sync.Mutex
	kept    map[string]keptAnswer
	cleaned time.Time
}

type keptAnswer struct {
	until  time.Time // it may be used again
	header http.Header
	status int
	body   []byte
}

// RoundTrip implements [http.RoundTripper].
func (c *traceCache) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet || !strings.HasPrefix(req.URL.Path, "/api/traces/") {
		return c.base.RoundTrip(req)
	}
	key := req.URL.String() + " " + req.Header.Get("Accept")
	c.mu.Lock()
	answer, ok := c.kept[key]
	c.mu.Unlock()
	if !ok || time.Now().After(answer.until) {
		asked, err, _ := c.asking.Do(key, func() (any, error) { return c.ask(req, key, len(answer.body)) })
		if err != nil {
			return nil, err
		}
		answer = asked.(keptAnswer)
	}
	return &http.Response{
		Status: http.StatusText(answer.status), StatusCode: answer.status, Header: answer.header.Clone(), Request: req,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(answer.body)), ContentLength: int64(len(answer.body)),
	}, nil
}

// ask asks Tempo. before is the length of the answer that is no longer fresh, or 0.
func (c *traceCache) ask(req *http.Request, key string, before int) (keptAnswer, error) {
	resp, err := c.base.RoundTrip(req)
	if err != nil {
		return keptAnswer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return keptAnswer{}, err
	}
	fresh := freshFor
	if len(body) == before {
		fresh = stableFor
	}
	answer := keptAnswer{until: time.Now().Add(fresh), header: resp.Header, status: resp.StatusCode, body: body}
	if answer.status == http.StatusOK {
		c.keep(key, answer)
	}
	return answer, nil
}

// keep keeps the answer, and throws old ones away.
func (c *traceCache) keep(key string, answer keptAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[key] = answer
	if time.Since(c.cleaned) < stableFor {
		return
	}
	c.cleaned = time.Now()
	for old, a := range c.kept {
		if time.Since(a.until) > stableFor {
			delete(c.kept, old)
		}
	}
}
