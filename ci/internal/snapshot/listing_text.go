package snapshot

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// WriteText prints the panels with the number of series that they returned, then
// the errors, and last where the page is, if it has a file. size is the page's in bytes.
func (l Listing) WriteText(w io.Writer, size int) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STATE\tDASHBOARD\tPANEL\tTYPE\tFOUND")
	var trouble []string
	for _, p := range l.Panels {
		found := 0
		for _, q := range p.Queries {
			found += q.Count
			if q.Error != "" {
				trouble = append(trouble, fmt.Sprintf("%s / %s, query %s: %s", p.Dashboard, p.Title, q.RefID, q.Error))
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\n", p.State, p.Dashboard, p.Title, p.Type, found)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(&b)
	for _, line := range trouble {
		fmt.Fprintln(&b, line)
	}
	var counts []string
	for _, state := range slices.Sorted(maps.Keys(l.Counts)) {
		counts = append(counts, fmt.Sprintf("%d %s", l.Counts[state], state))
	}
	fmt.Fprintf(&b, "%d panels: %s.\n", len(l.Panels), strings.Join(counts, ", "))
	if l.File != "" {
		fmt.Fprintf(&b, "%s, %.1f MB\n", l.File, float64(size)/1e6)
	}
	_, err := io.WriteString(w, report.Clean(b.String()))
	return err
}
