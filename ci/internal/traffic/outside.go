package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrFaultsOff means that the lab does not do faults on request, though the
// profile has slow or failing requests.
var ErrFaultsOff = errors.New("the lab runs without faults")

// preflightTimeout bounds the question whether the frontend is ready, and again the
// requests before a run, all together.
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
	// A fault that is ignored leaves the answer as it would be without.
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

// cleanUp deletes the users of this run that its requests have not deleted. It
// goes on when ctx has ended, within a time of its own.
func (a *attack) cleanUp(ctx context.Context) {
	ids, unknown := a.planner.leftovers()
	if len(ids) == 0 && !unknown {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	a.progress(a.collector.event(Cleanup, time.Now()))
	out := &a.report.Outside
	if unknown {
		found, requests, err := a.findByEmail(ctx)
		out.Cleanup += requests
		if err != nil {
			out.CleanupError = err.Error()
		}
		ids = append(ids, found...)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if ctx.Err() != nil {
			out.Left++
			out.CleanupError = "not within " + cleanupTimeout.String()
			continue
		}
		out.Cleanup++
		status, body, err := ask(ctx, a.client, http.MethodDelete, a.report.Frontend+"/api/users/"+strconv.FormatInt(id, 10), "")
		switch {
		case err != nil:
			out.Left++
			out.CleanupError = err.Error()
		case status != http.StatusNoContent && status != http.StatusNotFound:
			out.Left++
			out.CleanupError = fmt.Sprintf("deleting user %d answered %d: %s", id, status, clip(body))
		}
	}
}

// findByEmail walks all users for those of this run: a creation that was never
// answered may have happened all the same.
func (a *attack) findByEmail(ctx context.Context) (ids []int64, requests int, err error) {
	query := "?limit=200"
	for {
		requests++
		status, body, err := ask(ctx, a.client, http.MethodGet, a.report.Frontend+"/api/users"+query, "")
		if err != nil {
			return ids, requests, fmt.Errorf("looking for users left behind: %w", err)
		}
		var page struct {
			Users []struct {
				ID    int64  `json:"id"`
				Email string `json:"email"`
			} `json:"users"`
			NextCursor string `json:"next_cursor"`
		}
		if err := json.Unmarshal(body, &page); status != http.StatusOK || err != nil {
			return ids, requests, fmt.Errorf("looking for users left behind: GET /api/users answered %d: %s", status, clip(body))
		}
		for _, u := range page.Users {
			if strings.HasPrefix(u.Email, emailPrefix(a.report.TracePrefix)) {
				ids = append(ids, u.ID)
			}
		}
		if page.NextCursor == "" {
			return ids, requests, nil
		}
		query = "?limit=200&cursor=" + url.QueryEscape(page.NextCursor)
	}
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

// clip is the beginning of an answer for an error message, in one line.
func clip(body []byte) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 200)]), "?")), " ")
}
