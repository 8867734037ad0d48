package traffic

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// WriteText writes the report for people: the asked and achieved load, latencies by kind,
// answers by status, and the problems, with a trace to look at for each. The text is
// plain ASCII but for parts of answers, which are cleaned.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	r.writeHead(&b)
	r.writeLatencies(&b)
	r.writeStatuses(&b)
	r.writeWrong(&b)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the traffic report: %w", err)
	}
	return nil
}

func (r Report) writeHead(b *strings.Builder) {
	took := r.Finished.Sub(r.Started)
	fmt.Fprintf(b, "traffic %s against %s, %s\n", report.Clean(r.Profile.Name), report.Clean(r.Frontend), r.Started.Format(time.DateTime))
	fmt.Fprintf(b, "  requests   %d of %d in %s, %.1f/s (asked %g/s)\n",
		r.Requests, r.Profile.Requests, report.Elapsed(took), r.Rate, r.Profile.Rate)
	fmt.Fprintf(b, "  generator  late by %s at most, %s at p99; %d requests late by more than %s\n",
		report.Elapsed(r.Lag.Max), report.Elapsed(r.Lag.P99), r.Lag.Late, report.Elapsed(LateAfter))
	fmt.Fprintf(b, "  traces     %s to %s\n", TraceID(r.TracePrefix, min(1, r.Requests)), TraceID(r.TracePrefix, r.Requests))
}

func (r Report) writeLatencies(b *strings.Builder) {
	b.WriteString("\n")
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "kind\trequests\tp50\tp95\tp99\tmax\t")
	row := func(name string, requests int, l Latency) {
		fmt.Fprintf(tw, "%s\t%d\t%s\t%s\t%s\t%s\t\n", name, requests,
			report.Elapsed(l.P50), report.Elapsed(l.P95), report.Elapsed(l.P99), report.Elapsed(l.Max))
	}
	for _, k := range Kinds() {
		if n := r.Kinds[k.Kind]; n > 0 {
			row(string(k.Kind), n, r.ByKind[k.Kind])
		}
	}
	row("all", r.Requests, r.Latency)
	tw.Flush() // a strings.Builder does not fail
}

func (r Report) writeStatuses(b *strings.Builder) {
	b.WriteString("\n")
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "status\tanswers\texpected\t")
	all := maps.Clone(r.Expected)
	if all == nil {
		all = map[int]int{}
	}
	maps.Copy(all, r.Statuses)
	for _, status := range slices.Sorted(maps.Keys(all)) {
		mark := ""
		if r.Statuses[status] != r.Expected[status] {
			mark = "  differs"
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%s\n", strconv.Itoa(status)+" "+http.StatusText(status), r.Statuses[status], r.Expected[status], mark)
	}
	tw.Flush()
}

func (r Report) writeWrong(b *strings.Builder) {
	b.WriteString("\n")
	if r.Before.Error != "" {
		fmt.Fprintf(b, "`lab verify` cannot prove this run, because the counters before it could not be read: %s\n", report.Clean(r.Before.Error))
	}
	for _, u := range r.Unexpected {
		if u.Body != "" {
			fmt.Fprintf(b, "first answer %d to %s: %s\n", u.Status, u.Kind, strings.Join(strings.Fields(report.Clean(u.Body)), " "))
		}
	}
	problems := r.Problems()
	if len(problems) == 0 {
		fmt.Fprintf(b, "ok: all %d requests were answered as expected\n", r.Requests)
		return
	}
	for _, p := range problems {
		fmt.Fprintf(b, "FAIL: %s\n", report.Clean(p))
	}
}
