package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// ErrFaultsOff means that the profile has slow or failing requests, and the lab does
// not cause faults on request.
var ErrFaultsOff = errors.New("the lab runs without faults")

// preflightTimeout bounds the request to /ready, and again all requests of the
// pre-flight together.
const preflightTimeout = 10 * time.Second

// frontendReady asks the frontend whether it is ready. The services do not count
// that request.
func frontendReady(ctx context.Context, client *http.Client, base string) error {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	status, body, err := ask(ctx, client, http.MethodGet, base+"/ready", "")
	if err != nil {
		return fmt.Errorf("the frontend at %s does not answer (is the lab up?): %w", base, err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("the frontend at %s is not ready: GET /ready answered %d: %s", base, status, clip(body))
	}
	return nil
}

// preflight asks the frontend for users, and for a fault where the run has faults.
// It returns the number of its requests to /api, all of which have been answered.
func preflight(ctx context.Context, client *http.Client, base string, faults bool) (requests int, err error) {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	list := base + "/api/users?limit=1"
	status, body, err := ask(ctx, client, http.MethodGet, list, "")
	if err != nil {
		return 1, fmt.Errorf("the frontend at %s does not list users: %w", base, err)
	}
	if status != http.StatusOK {
		return 1, fmt.Errorf("the frontend at %s does not list users (is the backend up?): GET /api/users answered %d: %s", base, status, clip(body))
	}
	if !faults {
		return 1, nil
	}
	// A lab that ignores the fault answers as if it were not there.
	status, body, err = ask(ctx, client, http.MethodGet, list, "lab.fault=error")
	switch {
	case err != nil:
		return 2, fmt.Errorf("asking the frontend at %s for a fault: %w", base, err)
	case status == http.StatusOK:
		return 2, fmt.Errorf("%w: a request with the fault \"error\" answered 200; start frontend and backend with LAB_FAULTS=true, or send traffic without slow and failing requests (--no-faults)", ErrFaultsOff)
	case status != http.StatusInternalServerError:
		return 2, fmt.Errorf("a request with the fault \"error\" answered %d, want 500: %s", status, clip(body))
	}
	return 2, nil
}

// ask makes one request that is no part of the run.
func ask(ctx context.Context, client *http.Client, method, target, baggage string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Traceparent", outsideTrace())
	if baggage != "" {
		req.Header.Set("Baggage", baggage)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, body, err
}

// clip is the beginning of an answer in one line, for an error message.
func clip(body []byte) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 200)]), "?")), " ")
}
