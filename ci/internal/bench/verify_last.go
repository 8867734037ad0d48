package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/verify"
)

// verifyLastGoal is in seconds.
const verifyLastGoal = 60

// verifyLast times the proof of an earlier run of 10,000 requests, in a lab in which
// 150,000 traces were stored before.
func verifyLast(ctx context.Context, o Options) ([]Row, []string, error) {
	lab, release, err := newLab(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	stored := 150_000
	if o.Short {
		stored = 1_000
	}
	f := newFiller(lab.at.OTLPHTTP)
	if err := f.fill(ctx, stored, func(done int) { o.step("%d of %d traces sent", done, stored) }); err != nil {
		return nil, nil, err
	}
	o.step("the lab works them off")
	if err := lab.settle(ctx, 5*time.Minute); err != nil {
		return nil, nil, err
	}
	p, err := traffic.ByName("heavy")
	if err != nil {
		return nil, nil, err
	}
	run, err := traffic.Run(ctx, traffic.Options{
		Frontend: lab.at.Frontend, Profile: p, Before: verify.CountBefore(lab.at),
		Progress: func(e traffic.Event) { o.step("%d of %d requests", e.Sent, e.Total) },
	})
	if err != nil {
		return nil, nil, err
	}
	begin := time.Now()
	r, err := verify.Run(ctx, verify.Options{Addresses: lab.at, Profile: p, Run: &run, Progress: o.Line})
	if err != nil {
		return nil, nil, err
	}
	took := time.Since(begin).Seconds()
	rows := []Row{row(fmt.Sprintf("`lab verify --run last` of %s requests, %s traces stored before", grouped(float64(run.Requests)), grouped(float64(stored))), Seconds, took).under(verifyLastGoal)}
	var notes []string
	for _, c := range r.Checks {
		if c.Failed() {
			notes = append(notes, "Failed: "+report.OneLine(c.Group+", "+c.Name+": "+c.Detail))
		}
		if c.Duration > 3*time.Second {
			rows = append(rows, row("the check "+c.Group+", "+c.Name, Seconds, c.Duration.Seconds()))
		}
	}
	return rows, notes, nil
}
