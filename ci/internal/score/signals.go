package score

import (
	"fmt"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
)

const (
	noSpans   = "no span arrived"
	noLogs    = "no log record arrived"
	noMetrics = "no metric arrived"
)

// debugTime is how long DEBUG records may be sent in production (LOG-001).
const debugTime = 14 * 24 * time.Hour

func debugInProduction(s facts.Service) verdict {
	if s.Logs.Count == 0 {
		return verdict{reason: noLogs}
	}
	if s.Logs.DebugFirst.IsZero() {
		return verdict{}
	}
	spent := s.Logs.DebugLast.Sub(s.Logs.DebugFirst)
	if spent <= debugTime {
		return verdict{reason: fmt.Sprintf("production sends DEBUG records; the facts show it for %s, and the rule fails after 14 days", spent.Round(time.Second))}
	}
	return verdict{evidence: []string{fmt.Sprintf("production sent DEBUG records from %s to %s, %.0f days",
		s.Logs.DebugFirst.UTC().Format(time.RFC3339), s.Logs.DebugLast.UTC().Format(time.RFC3339), spent.Hours()/24)}}
}

func severity(s facts.Service) verdict {
	return tally(s.Logs.WithoutSeverity, noLogs, "log records have no severity number")
}

func manyInternal(s facts.Service) verdict {
	return tally(s.Spans.ManyInternal, unsettled(s), "traces have more than 10 INTERNAL spans of the service")
}

func orphans(s facts.Service) verdict {
	if s.Spans.Orphans.Seen == 0 && s.Spans.ManyInternal.Seen > 0 {
		return verdict{} // all spans are roots
	}
	return tally(s.Spans.Orphans, unsettled(s), "spans name a parent that is not there")
}

func clientRoots(s facts.Service) verdict {
	if s.Spans.Count > 0 && s.Spans.ClientRoots.Seen == 0 {
		return verdict{} // the service begins no trace
	}
	return tally(s.Spans.ClientRoots, noSpans, "root spans are of kind CLIENT")
}

func manyShort(s facts.Service) verdict {
	return tally(s.Spans.ManyShort, unsettled(s), "traces have more than 20 spans shorter than 5 ms")
}

const noSettled = "no trace is whole yet: its last span must have arrived 5 seconds ago"

// unsettled is the reason when no trace was judged.
func unsettled(s facts.Service) string {
	if s.Spans.Count == 0 {
		return noSpans
	}
	return noSettled
}

func spanNames(s facts.Service) verdict {
	if s.Spans.Count == 0 {
		return verdict{reason: noSpans}
	}
	return verdict{reason: fmt.Sprintf("the specification gives no number yet; the service has %d span names, and ids in them are among the findings", s.Spans.Names)}
}

// tally is the verdict on a property that no item may have.
func tally(t facts.Tally, reason, what string) verdict {
	if t.Seen == 0 {
		return verdict{reason: reason}
	}
	if t.Hits == 0 {
		return verdict{}
	}
	evidence := []string{fmt.Sprintf("%d of %d %s", t.Hits, t.Seen, what)}
	for _, e := range t.Examples {
		evidence = append(evidence, example(e))
	}
	return verdict{evidence: evidence}
}

// example writes one item.
func example(e facts.Example) string {
	text := strings.TrimSpace(e.Name)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.TraceID != "" {
		text += ", in trace " + e.TraceID
	}
	return text
}
