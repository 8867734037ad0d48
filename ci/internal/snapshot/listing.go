package snapshot

import (
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// A Listing is a snapshot without its data, for programs: the outcome of each query of
// each panel.
type Listing struct {
	Target string    `json:"target"`
	Commit string    `json:"commit,omitempty"`
	Taken  time.Time `json:"taken"`
	// OK says that every query was answered. Panels may be empty.
	OK       bool           `json:"ok"`
	Counts   map[State]int  `json:"counts"`
	Panels   []PanelListing `json:"panels"`
	Duration float64        `json:"duration_seconds"`
	// File is where the page was written, "" if it was not written to a file.
	File string `json:"file,omitempty"`
	// Page is the page itself, where no file can be handed over: a Job's only way
	// out is what it prints. See [ToPage] and [FromPage].
	Page []string `json:"page,omitempty"`
}

// PanelListing is the outcome of one panel.
type PanelListing struct {
	Dashboard string         `json:"dashboard"`
	Row       string         `json:"row,omitempty"`
	ID        int            `json:"id"`
	Title     string         `json:"title"`
	Type      string         `json:"type"`
	State     State          `json:"state"`
	Queries   []QueryListing `json:"queries"`
}

// QueryListing is the outcome of one query.
type QueryListing struct {
	RefID      string `json:"ref_id"`
	Datasource string `json:"datasource"`
	Expr       string `json:"expr"`
	// Count is the number of series, lines, traces or edges.
	Count    int     `json:"count"`
	Error    string  `json:"error,omitempty"`
	Duration float64 `json:"duration_seconds"`
}

// List lists the snapshot.
func (s Snapshot) List() Listing {
	failed, _ := s.Failures()
	l := Listing{
		Target: s.Target, Commit: s.Commit, Taken: s.Taken.UTC(), OK: len(failed) == 0,
		Counts: map[State]int{}, Panels: []PanelListing{}, Duration: report.Seconds(s.Took),
	}
	for _, d := range s.Dashboards {
		for _, p := range d.Panels {
			l.Counts[p.State]++
			one := PanelListing{Dashboard: d.UID, Row: p.Row, ID: p.ID, Title: p.Title, Type: p.Type, State: p.State, Queries: []QueryListing{}}
			for _, a := range p.Answers {
				q := QueryListing{RefID: a.RefID, Datasource: a.Datasource, Expr: a.Asked, Count: a.Count(), Duration: report.Seconds(a.Took)}
				if a.Err != nil {
					q.Error = a.Err.Error()
				}
				one.Queries = append(one.Queries, q)
			}
			l.Panels = append(l.Panels, one)
		}
	}
	return l
}
