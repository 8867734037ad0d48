package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// The goals of the memory of all processes, in bytes, and of its growth over a day.
const (
	idleGoal = 700e6
	busyGoal = 1.5e9
	flatGoal = 1.1 // the last quarter of the day ÷ the second
)

// Traffic of a day, at 20 requests a second.
const (
	steadyRate  = 20
	dayRequests = steadyRate * 24 * 3600
)

// memory measures the memory of all processes: idle, at 500 requests a second for ten
// minutes, and over the telemetry of a day at 20 requests a second, sent as quickly as the
// lab takes it.
func memory(ctx context.Context, o Options) ([]Row, []string, error) {
	lab, release, err := newLab(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	busyFor, day := 10*time.Minute, dayRequests
	if o.Short {
		busyFor, day = 20*time.Second, 10_000
	}
	o.step("idle")
	if err := lab.settle(ctx, time.Minute); err != nil {
		return nil, nil, err
	}
	idle, err := lab.memoryDuring(ctx, func(ctx context.Context) error { return wait.For(ctx, 20*time.Second) })
	if err != nil {
		return nil, nil, err
	}
	busy, err := lab.memoryDuring(ctx, func(ctx context.Context) error {
		p, err := traffic.ByName("heavy")
		if err == nil {
			p, err = p.With(traffic.Overrides{Rate: 500, Duration: busyFor})
		}
		if err != nil {
			return err
		}
		r, err := traffic.Run(ctx, traffic.Options{Frontend: lab.at.Frontend, Profile: p, Progress: func(e traffic.Event) {
			o.step("500 requests a second for %v: %d of %d sent", busyFor, e.Sent, e.Total)
		}})
		if err == nil && !r.OK() {
			err = fmt.Errorf("500 requests a second are too many: %v", r.Problems())
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	begin, f := time.Now(), newFiller(lab.at.OTLPHTTP)
	full, err := lab.memoryDuring(ctx, func(ctx context.Context) error {
		return f.fill(ctx, day, func(done int) { o.step("the telemetry of a day: %d of %d requests", done, day) })
	})
	if err != nil {
		return nil, nil, err
	}
	took := time.Since(begin)
	quarter := len(full) / 4
	rows := []Row{
		row("idle", Bytes, idle...).under(idleGoal),
		row(fmt.Sprintf("at 500 requests a second for %v, most", busyFor), Bytes, slices.Max(busy)).under(busyGoal),
		row(fmt.Sprintf("over the telemetry of %s requests, most", grouped(float64(day))), Bytes, slices.Max(full)),
	}
	if quarter > 0 {
		rows = append(rows, row("its last quarter ÷ its second", Ratio, median(full[3*quarter:])/median(full[quarter:2*quarter])).under(flatGoal))
	}
	used, err := measureAll(lab.groups)
	if err != nil {
		return nil, nil, err
	}
	for _, g := range lab.groups {
		rows = append(rows, row("after it, "+g.name, Bytes, used[g.name].memory))
	}
	return rows, []string{fmt.Sprintf("Resident memory of all processes, read every second. The day's telemetry was sent through Alloy in %v, %s requests a second.",
		took.Round(time.Second), grouped(float64(day)/took.Seconds()))}, nil
}

// memoryDuring reads the memory of all processes every second while work goes on.
func (l ownLab) memoryDuring(ctx context.Context, work func(context.Context) error) ([]float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	var all []float64
	for {
		used, err := measureAll(l.groups)
		if err != nil {
			return nil, err
		}
		all = append(all, memoryOf(used))
		select {
		case err := <-done:
			return all, err
		case <-time.After(time.Second):
		}
	}
}
