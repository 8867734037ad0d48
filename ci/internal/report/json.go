package report

import (
	"fmt"
	"io"
	"time"
)

// reportJSON is the JSON form of a Report. Other programs read it: see docs/json.md.
type reportJSON struct {
	Name        string            `json:"name"`
	OK          bool              `json:"ok"`
	Started     time.Time         `json:"started"`
	Duration    float64           `json:"duration_seconds"`
	Passed      int               `json:"passed"`
	Failed      int               `json:"failed"`
	Skipped     int               `json:"skipped"`
	Environment map[string]string `json:"environment"`
	Checks      []checkJSON       `json:"checks"`
}

type checkJSON struct {
	Group    string  `json:"group"`
	Name     string  `json:"name"`
	Status   Status  `json:"status"`
	Measured string  `json:"measured"`
	Expected string  `json:"expected"`
	Detail   string  `json:"detail,omitempty"`
	Duration float64 `json:"duration_seconds"`
}

// kindChecks is the kind of document that a Report is.
const kindChecks = "checks"

// MarshalJSON writes the report as an object:
//
//	schema_version, kind "checks", name, ok, started (RFC 3339, UTC), duration_seconds, passed, failed, skipped,
//	environment {name: value},
//	checks [{group, name, status ("pass", "fail", "skip"), measured, expected,
//	         detail (absent when empty), duration_seconds}]
//
// environment and checks are never null.
func (r Report) MarshalJSON() ([]byte, error) { return marshal(kindChecks, r.toJSON()) }

func (r Report) toJSON() reportJSON {
	n := r.Count()
	out := reportJSON{
		Name: r.Name, OK: r.OK(), Started: r.Started.UTC(), Duration: Seconds(r.Duration),
		Passed: n.Passed, Failed: n.Failed, Skipped: n.Skipped,
		Environment: r.Environment, Checks: make([]checkJSON, 0, len(r.Checks)),
	}
	if out.Environment == nil {
		out.Environment = map[string]string{}
	}
	for _, c := range r.Checks {
		j := checkJSON{c.Group, c.Name, c.Status, c.Measured, c.Expected, c.Detail, Seconds(c.Duration)}
		if c.Failed() {
			j.Status = Fail
		}
		out.Checks = append(out.Checks, j)
	}
	return out
}

// UnmarshalJSON reads what MarshalJSON wrote, so that a report made elsewhere
// (in a cluster's job) can be rendered here. The derived fields are ignored.
func (r *Report) UnmarshalJSON(data []byte) error {
	var in reportJSON
	if err := Decode(data, kindChecks, &in); err != nil {
		return fmt.Errorf("reading a report: %w", err)
	}
	*r = Report{Name: in.Name, Started: in.Started, Duration: FromSeconds(in.Duration), Environment: in.Environment}
	for _, c := range in.Checks {
		r.Add(Check{c.Group, c.Name, c.Status, c.Measured, c.Expected, c.Detail, FromSeconds(c.Duration)})
	}
	return nil
}

// Seconds is d in seconds, rounded to the microsecond: the unit of every
// duration in the lab's JSON.
func Seconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)/time.Microsecond) / 1e6
}

// FromSeconds is the duration of that many seconds, rounded to the microsecond.
func FromSeconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Microsecond)
}

func writeJSON(w io.Writer, r Report) error { return Encode(w, kindChecks, r.toJSON()) }
