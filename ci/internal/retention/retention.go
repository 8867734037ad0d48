// Package retention says how long Loki, Tempo and Mimir keep what they store, each
// its own signal.
package retention

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Least is the shortest time that the databases' compactors work with: Loki's index
// has a table for each day.
const Least = 24 * time.Hour

// Periods is how long each signal is kept. A period is whole hours, at least [Least];
// 0 leaves what the configuration says.
type Periods struct {
	Logs, Traces, Metrics time.Duration
	// Audit is of the lines that say who changed users. They are kept for a year if it is
	// 0, however long other lines are.
	Audit time.Duration
}

// UsualAudit is how long the configuration keeps the audit log if nobody says otherwise.
const UsualAudit = 365 * 24 * time.Hour

// Or returns the periods with d in the place of those that are 0, but for the audit log's.
func (p Periods) Or(d time.Duration) Periods {
	for _, s := range p.signals() {
		if *s.period == 0 && s.period != &p.Audit {
			*s.period = d
		}
	}
	return p
}

// Check returns an error that names every period that no database can keep to.
func (p Periods) Check() error {
	var errs []error
	for _, s := range p.signals() {
		if d := *s.period; d != 0 && (d < Least || d%time.Hour != 0) {
			errs = append(errs, fmt.Errorf("retention of %s of %s: it must be whole hours, at least %s", s.name, d, Least))
		}
	}
	return errors.Join(errs...)
}

// Environment returns the variables that the configuration files read, as NAME=VALUE,
// without those of periods that are 0.
func (p Periods) Environment() []string {
	var all []string
	for _, s := range p.signals() {
		if *s.period != 0 {
			// In hours: the three parsers have no larger unit in common.
			all = append(all, s.variable+"="+strconv.Itoa(int(s.period.Hours()))+"h")
		}
	}
	return all
}

// A signal is a field of Periods, and its names.
type signal struct {
	name     string
	variable string
	period   *time.Duration
}

func (p *Periods) signals() []signal {
	return []signal{
		{"logs", "LAB_RETENTION_LOGS", &p.Logs},
		{"traces", "LAB_RETENTION_TRACES", &p.Traces},
		{"metrics", "LAB_RETENTION_METRICS", &p.Metrics},
		{"the audit log", "LAB_RETENTION_AUDIT", &p.Audit},
	}
}
