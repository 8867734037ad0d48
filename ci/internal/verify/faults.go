package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

const faultsHint = "was the lab brought up without faults?"

// faults checks that traces explain faults: the trace of a slow request shows that the
// SQL statement took the time, the trace of a failing request shows what failed.
func (v *verifier) faults(ctx context.Context) {
	delay := v.timing.delay
	v.check("trace", "a slow query is where the time went", fmt.Sprintf("a SQL span ≥ %v within the request's", delay), func() (string, error) {
		p, err := v.sendFault(ctx, "delay:"+delay.String(), http.StatusOK)
		if err != nil {
			return "", err
		}
		return v.awaitSQL(ctx, p, func(request, sql query.Span) error {
			if sql.Duration() < delay {
				return fmt.Errorf("the longest SQL span took %v, and the request asked for %v (%s)", sql.Duration().Round(time.Millisecond), delay, faultsHint)
			}
			if request.Duration() < sql.Duration() {
				return fmt.Errorf("the request's span (%v) is shorter than its SQL span (%v)", request.Duration(), sql.Duration())
			}
			return nil
		})
	})
	v.check("trace", "a failing query fails the request", "500, and a SQL span with an error", func() (string, error) {
		p, err := v.sendFault(ctx, "error", http.StatusInternalServerError)
		if err != nil {
			return "", err
		}
		return v.awaitSQL(ctx, p, func(request, sql query.Span) error {
			switch {
			case !sql.Failed && !request.Failed:
				return errors.New("neither the SQL span nor the request's span is marked as an error")
			case !sql.Failed:
				return errors.New("no SQL span is marked as an error, though the request's span is")
			case !request.Failed:
				return errors.New("the request's span is not marked as an error, though its SQL span is")
			}
			return nil
		})
	})
}

// sendFault makes a request with a fault. The answer must have the status.
func (v *verifier) sendFault(ctx context.Context, fault string, want int) (*probe, error) {
	p, status, body := v.get(ctx, "/api/users", "lab.fault="+fault)
	if p.err != nil {
		return nil, p.err
	}
	if status != want {
		return nil, fmt.Errorf("GET /api/users with the fault %s answered %d, not %d (%s): %.200q", fault, status, want, faultsHint, body)
	}
	return p, nil
}

// awaitSQL waits for the trace and judges its request span and its failed or
// longest SQL span.
func (v *verifier) awaitSQL(ctx context.Context, p *probe, judge func(request, sql query.Span) error) (string, error) {
	var measured string
	err := v.poll(ctx, v.timing.trace, func(ctx context.Context) error {
		spans, err := v.tempo.Trace(ctx, p.traceID)
		if err != nil {
			return err
		}
		way, err := follow(spans, p.parentID)
		if err != nil {
			return err
		}
		sql := way.sql
		for _, s := range spans {
			if isSQL(s) && (s.Failed && !sql.Failed || s.Failed == sql.Failed && s.Duration() > sql.Duration()) {
				sql = s
			}
		}
		measured = fmt.Sprintf("%s %v of %s %v", sql.Name, sql.Duration().Round(time.Millisecond), way.server.Name, way.server.Duration().Round(time.Millisecond))
		return judge(way.server, sql)
	})
	return measured, err
}
