package traffic

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

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

// findByEmail looks through all users for those of this run: a creation without an
// answer may have created its user.
func (a *attack) findByEmail(ctx context.Context) (ids []int64, requests int, err error) {
	found, requests, err := listUsers(ctx, a.client, a.report.Frontend, a.report.TracePrefix)
	for _, u := range found {
		ids = append(ids, u.ID)
	}
	return ids, requests, err
}
