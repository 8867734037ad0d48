package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
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
	var last []check
	for round := range rounds {
		o.step("verify --up, %d of %d", round+1, rounds)
		begin := time.Now()
		out, err := o.Self(ctx, "verify", "--up", "--output=json", "--dir="+filepath.Join(dir, "lab"))
		d := time.Since(begin).Seconds()
		checks, readErr := readChecks(out)
		if err != nil {
			return nil, nil, errors.Join(append(failed(checks), err)...)
		}
		if readErr != nil {
			return nil, nil, readErr
		}
		took, last = append(took, d), checks
	}
	rows := []Row{row("`lab verify --up`", Seconds, took...).under(verifyUpGoal)}
	return append(rows, slowest(last, 6)...), []string{"The rows below the first are the checks that took longest in the last run; they wait, rather than work."}, nil
}

// check is what verify says of one of its checks.
type check struct {
	Group   string  `json:"group"`
	Name    string  `json:"name"`
	Status  string  `json:"status"`
	Detail  string  `json:"detail"`
	Seconds float64 `json:"duration_seconds"`
}

// readChecks reads verify's report.
func readChecks(doc []byte) ([]check, error) {
	var r struct {
		Checks []check `json:"checks"`
	}
	if err := report.Decode(doc, "checks", &r); err != nil {
		return nil, fmt.Errorf("reading verify's report: %w", err)
	}
	return r.Checks, nil
}

// failed are the checks that did not hold, as errors.
func failed(checks []check) (errs []error) {
	for _, c := range checks {
		if c.Status == string(report.Fail) {
			errs = append(errs, errors.New(report.OneLine(c.Group+", "+c.Name+": "+c.Detail)))
		}
	}
	return errs
}

// slowest are the checks that took longest.
func slowest(checks []check, n int) (rows []Row) {
	byTime := slices.SortedStableFunc(slices.Values(checks), func(a, b check) int { return cmp.Compare(b.Seconds, a.Seconds) })
	for _, c := range byTime[:min(n, len(byTime))] {
		rows = append(rows, row("the check "+c.Group+", "+c.Name, Seconds, c.Seconds))
	}
	return rows
}
