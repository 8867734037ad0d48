package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The goals of the two.
const (
	upGoal       = 3  // seconds
	verifyUpGoal = 45 // seconds
)

// up times `lab up` of a lab that was up before: its programs are there, its services are
// built.
func up(ctx context.Context, o Options) ([]Row, []string, error) {
	dir, remove, err := folder()
	if err != nil {
		return nil, nil, err
	}
	defer remove()
	lab := "--dir=" + filepath.Join(dir, "lab")
	down := func() error {
		_, err := o.Self(context.WithoutCancel(ctx), "down", lab)
		return err
	}
	rounds := 5
	if o.Short {
		rounds = 2
	}
	var took []float64
	for round := range rounds + 1 { // the first one builds
		o.step("up, %d of %d", round+1, rounds+1)
		begin := time.Now()
		_, err := o.Self(ctx, "up", "--detach", "--free-ports", lab)
		d := time.Since(begin).Seconds()
		if downErr := down(); err == nil {
			err = downErr
		}
		if err != nil {
			return nil, nil, err
		}
		if round > 0 {
			took = append(took, d)
		}
	}
	return []Row{row("`lab up --detach`, until every component is ready", Seconds, took...).under(upGoal)},
		[]string{"The programs of the stack and the services were built before, and the folder has the data of the lab before."}, nil
}

// verifyUp times `lab verify --up`, and says which checks take the time.
func verifyUp(ctx context.Context, o Options) ([]Row, []string, error) {
	dir, remove, err := folder()
	if err != nil {
		return nil, nil, err
	}
	defer remove()
	rounds := 3
	if o.Short {
		rounds = 1
	}
	var took []float64
	var last []byte
	for round := range rounds {
		o.step("verify --up, %d of %d", round+1, rounds)
		begin := time.Now()
		out, err := o.Self(ctx, "verify", "--up", "--output=json", "--dir="+filepath.Join(dir, "lab"))
		if err != nil {
			return nil, nil, fmt.Errorf("%w\n%s", err, out)
		}
		took, last = append(took, time.Since(begin).Seconds()), out
	}
	rows := []Row{row("`lab verify --up`", Seconds, took...).under(verifyUpGoal)}
	slow, err := slowest(last, 6)
	return append(rows, slow...), []string{"The rows below the first are the checks that took longest in the last run; they wait, rather than work."}, err
}

// slowest lists the checks of a report of verify that took longest.
func slowest(doc []byte, n int) ([]Row, error) {
	var r struct {
		Checks []struct {
			Group, Name string
			Seconds     float64 `json:"duration_seconds"`
		} `json:"checks"`
	}
	if err := json.Unmarshal(doc, &r); err != nil {
		return nil, fmt.Errorf("reading verify's report: %w", err)
	}
	slices.SortStableFunc(r.Checks, func(a, b struct {
		Group, Name string
		Seconds     float64 `json:"duration_seconds"`
	}) int {
		return -strings.Compare(fmt.Sprintf("%012.3f", a.Seconds), fmt.Sprintf("%012.3f", b.Seconds))
	})
	var rows []Row
	for _, c := range r.Checks[:min(n, len(r.Checks))] {
		rows = append(rows, row("the check "+c.Group+", "+c.Name, Seconds, c.Seconds))
	}
	return rows, nil
}
