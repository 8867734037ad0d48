package inspector

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Losses says how much of the copy Alloy dropped, by Alloy's own counters.
type Losses struct {
	// URL is Alloy's base URL.
	URL string
	// HTTP sends the requests; its timeout bounds an answer of the inspector.
	HTTP *http.Client

	mu      sync.Mutex
	dropped map[string]uint64
}

// signals are the kinds of items in Alloy's counters, with a plural for people.
var signals = []struct{ name, plural string }{
	{"spans", "spans"}, {"log_records", "log records"}, {"metric_points", "metric points"},
}

// counters are Alloy's counters of items that an exporter did not hand over.
var counters = []string{"otelcol_exporter_enqueue_failed_", "otelcol_exporter_send_failed_"}

// maxMetrics bounds Alloy's answer, in bytes.
const maxMetrics = 32 << 20

// Read asks Alloy. It returns whether more spans were dropped than at the last Read.
func (l *Losses) Read(ctx context.Context) (spans bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL+"/metrics", nil)
	if err != nil {
		return false, err
	}
	resp, err := l.HTTP.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("Alloy's /metrics answered %s", resp.Status)
	}
	dropped, err := readDropped(io.LimitReader(resp.Body, maxMetrics))
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	spans = dropped["spans"] > l.dropped["spans"]
	l.dropped = dropped
	return spans, nil
}

// readDropped sums the counters of the inspector's exporter, by kind of item.
func readDropped(metrics io.Reader) (map[string]uint64, error) {
	dropped := map[string]uint64{}
	lines := bufio.NewScanner(metrics)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		for _, counter := range counters {
			rest, ok := strings.CutPrefix(line, counter)
			if !ok || !strings.Contains(line, `component_id="otelcol.exporter.otlphttp.inspector"`) {
				continue
			}
			name, _, _ := strings.Cut(rest, "_total{")
			value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			if err != nil {
				return nil, fmt.Errorf("reading Alloy's %s%s: %w", counter, name, err)
			}
			dropped[name] += uint64(value)
		}
	}
	return dropped, lines.Err()
}

// Sentences say what was dropped since Alloy started, of all services.
func (l *Losses) Sentences() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for _, s := range signals {
		if n := l.dropped[s.name]; n > 0 {
			list = append(list, fmt.Sprintf("Alloy dropped %d %s of the copy, of all services: the inspector was too slow or away.", n, s.plural))
		}
	}
	return list
}
