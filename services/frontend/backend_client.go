package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// maxAnswer is the size of the largest answer that is read, in bytes. A page of 200
// users with the longest names is much smaller.
const maxAnswer = 1 << 20

// userList is one page of the users. NextCursor is empty on the last page.
type userList struct {
	Users      []users.User `json:"users"`
	NextCursor string       `json:"next_cursor"`
}

// statistics is the backend's answer to GET /stats.
type statistics struct {
	Users          int64   `json:"users"`
	CreatedLast24h int64   `json:"created_last_24h"`
	DatabaseSize   int64   `json:"database_size_bytes"`
	UptimeSeconds  float64 `json:"uptime_seconds"`
	Version        string  `json:"version"`
}

// backendClient is a client of the users API. The errors of its methods are
// [httpx.Error]s: the backend's own problem, with its status, detail and fields, or 502
// or 504 if there is no usable answer.
type backendClient struct {
	base   *url.URL
	client *http.Client
}

// list returns up to limit users from the cursor on. An empty cursor is the beginning.
func (b *backendClient) list(ctx context.Context, cursor string, limit int) (userList, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	var answer userList
	err := b.call(ctx, http.MethodGet, "/users", b.base.JoinPath("users"), query, nil, &answer)
	return answer, err
}

// get returns one user.
func (b *backendClient) get(ctx context.Context, id int64) (users.User, error) {
	var answer users.User
	err := b.call(ctx, http.MethodGet, "/users/{id}", b.user(id), nil, nil, &answer)
	return answer, err
}

// create adds a user.
func (b *backendClient) create(ctx context.Context, name, email string) (users.User, error) {
	var answer users.User
	body := map[string]string{"name": name, "email": email}
	err := b.call(ctx, http.MethodPost, "/users", b.base.JoinPath("users"), nil, body, &answer)
	return answer, err
}

// remove deletes a user.
func (b *backendClient) remove(ctx context.Context, id int64) error {
	return b.call(ctx, http.MethodDelete, "/users/{id}", b.user(id), nil, nil, nil)
}

// stats returns the backend's statistics.
func (b *backendClient) stats(ctx context.Context) (statistics, error) {
	var answer statistics
	err := b.call(ctx, http.MethodGet, "/stats", b.base.JoinPath("stats"), nil, nil, &answer)
	return answer, err
}

func (b *backendClient) user(id int64) *url.URL {
	return b.base.JoinPath("users", strconv.FormatInt(id, 10))
}

// call makes one request and decodes a successful answer into dst, unless dst is nil.
// route is the backend's route, which the span and the metrics are named after.
func (b *backendClient) call(ctx context.Context, method, route string, target *url.URL, query url.Values, body, dst any) error {
	ctx = withRoute(ctx, route)
	target.RawQuery = query.Encode()
	req, err := newRequest(ctx, method, target, body)
	if err != nil {
		return err
	}
	res, err := b.client.Do(req)
	if err != nil {
		return gatewayError(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	content, err := readAnswer(ctx, res.Body)
	if err != nil {
		return err
	}
	switch {
	case res.StatusCode >= 400:
		return problemError(res, content)
	case res.StatusCode >= 300:
		return malformedAnswer(fmt.Errorf("an unexpected status %s", res.Status))
	case dst == nil:
		return nil
	}
	if err := json.Unmarshal(content, dst); err != nil {
		return malformedAnswer(err)
	}
	return nil
}

// readAnswer reads a complete body, so that nothing of a body that breaks off is passed
// on.
func readAnswer(ctx context.Context, body io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	switch {
	case err != nil && isTimeout(ctx, err):
		return nil, gatewayError(ctx, err)
	case err != nil:
		return nil, &httpx.Error{Status: http.StatusBadGateway, Detail: "The backend's answer broke off.", Err: err}
	case len(content) > maxAnswer:
		return nil, malformedAnswer(fmt.Errorf("the answer is larger than %d KiB", maxAnswer>>10))
	}
	return content, nil
}

// newRequest returns a request with the id of the request that ctx belongs to.
func newRequest(ctx context.Context, method string, target *url.URL, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encoding a request for the backend: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), content)
	if err != nil {
		return nil, fmt.Errorf("making a request for the backend: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if id := httpx.RequestID(ctx); id != "" {
		req.Header.Set(httpx.HeaderRequestID, id)
	}
	if peer := httpx.PeerAddress(ctx); peer != "" {
		req.Header.Set(httpx.HeaderForwardedFor, peer) // as the proxy does
	}
	return req, nil
}

// problemError returns the error that the backend's problem document describes. For any
// other document, such as a load balancer's page, it returns an error with the same
// status.
func problemError(res *http.Response, content []byte) error {
	e := &httpx.Error{
		Status:     res.StatusCode,
		RetryAfter: retryAfter(res.Header),
		Err:        fmt.Errorf("the backend answered %s", res.Status),
	}
	var p httpx.Problem
	if mediaType(res.Header) == httpx.ProblemContentType && json.Unmarshal(content, &p) == nil {
		e.Detail, e.Fields = p.Detail, p.Errors
	}
	return e
}

// retryAfter reads the header Retry-After: seconds, or a date. It returns 0 if there is
// none.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(date))
	}
	return 0
}

// gatewayError is the error of a request without an answer: 504 after a timeout, else
// 502. ctx is the request's. The router detects by itself whether the client has
// disconnected.
func gatewayError(ctx context.Context, err error) *httpx.Error {
	if e, ok := errors.AsType[*httpx.Error](err); ok {
		return e
	}
	if isTimeout(ctx, err) {
		return &httpx.Error{Status: http.StatusGatewayTimeout, Detail: "The backend took too long to answer.", Err: err}
	}
	return &httpx.Error{Status: http.StatusBadGateway, Detail: "The backend cannot be reached.", Err: err}
}

// isTimeout reports whether a request failed because the frontend did not wait any
// longer. A transport whose connection is cut by the end of ctx may say anything.
func isTimeout(ctx context.Context, err error) bool {
	var timeout net.Error
	return errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

// malformedAnswer is the error of an answer that does not come from the users API.
func malformedAnswer(err error) *httpx.Error {
	return &httpx.Error{Status: http.StatusBadGateway, Detail: "The backend's answer could not be understood.", Err: err}
}

// mediaType returns the Content-Type without parameters, "" if there is none.
func mediaType(h http.Header) string {
	parsed, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return parsed
}
